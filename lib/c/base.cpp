#include <nodewise/c/base.h>

#include <array>
#include <cstdlib>
#include <new>

#include <nodewise/means.hpp>
#include <nodewise/stop.hpp>
#include <nodewise/version.hpp>

#include "c/calls.hpp"
#include "c/objects.hpp"

static_assert(NW_VERSION_MAJOR == NODEWISE_VERSION_MAJOR && NW_VERSION_MINOR == NODEWISE_VERSION_MINOR &&
              NW_VERSION_PATCH == NODEWISE_VERSION_PATCH);

namespace nodewise::c {
namespace {

static_assert(is_number<ErrorKind::out_of_range, NW_OUT_OF_RANGE> &&
              is_number<ErrorKind::invalid_argument, NW_INVALID_ARGUMENT> &&
              is_number<ErrorKind::format, NW_FORMAT> && is_number<ErrorKind::system, NW_SYSTEM> &&
              is_number<ErrorKind::placement, NW_PLACEMENT> &&
              is_number<ErrorKind::owner_died, NW_OWNER_DIED> &&
              is_number<ErrorKind::broken_barrier, NW_BROKEN_BARRIER> &&
              is_number<ErrorKind::out_of_memory, NW_OUT_OF_MEMORY> &&
              is_number<ErrorKind::foreign, NW_FOREIGN> && is_number<ErrorKind::stopped, NW_STOPPED> &&
              is_number<ErrorKind::threads, NW_THREADS>);
static_assert(is_number<DType::f64, NW_F64 - 1> && is_number<DType::f32, NW_F32 - 1> &&
              is_number<DType::f16, NW_F16 - 1> && is_number<DType::bf16, NW_BF16 - 1> &&
              is_number<DType::i64, NW_I64 - 1> && is_number<DType::i32, NW_I32 - 1> &&
              is_number<DType::i16, NW_I16 - 1> && is_number<DType::i8, NW_I8 - 1> &&
              is_number<DType::u64, NW_U64 - 1> && is_number<DType::u32, NW_U32 - 1> &&
              is_number<DType::u16, NW_U16 - 1> && is_number<DType::u8, NW_U8 - 1>);

// Of fixed size, so that keeping a message cannot fail.
struct LastError {
  std::array<char, 4096> message{};
  std::int32_t code = 0;
};
thread_local LastError last_error;

void keep(std::string_view message, int code) noexcept {
  std::size_t length = std::min(message.size(), last_error.message.size() - 1);
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(message[at]) & 0xC0) == 0x80;
  };
  if (length < message.size())  // never within a character of UTF-8
    while (length > 0 && continues(length)) --length;
  std::memcpy(last_error.message.data(), message.data(), length);
  last_error.message[length] = '\0';
  last_error.code = code;
}

int errno_of(const std::exception& error) noexcept {
  if (const auto* system = dynamic_cast<const SystemError*>(&error)) return system->code();
  if (const auto* threads = dynamic_cast<const ThreadError*>(&error)) return threads->code();
  return 0;
}

}  // namespace

nw_error fail(const std::exception& error) noexcept {
  keep(error.what(), errno_of(error));
  return static_cast<nw_error>(kind_of(error));
}

nw_error fail_unknown() noexcept {
  keep("a function of the caller threw something that is no exception", 0);
  return NW_FOREIGN;
}

DType dtype_of_number(nw_dtype dtype, const char* call) {
  if (dtype >= 1 && static_cast<std::size_t>(dtype) <= dtype_count) return static_cast<DType>(dtype - 1);
  throw InvalidArgument(base::text(call, ": there is no element type ", dtype,
                                   "; they are NW_F64 (1) to NW_U8 (", dtype_count, ")"));
}

Dataset dataset_of(const nw_dataset* dataset, const char* call) {
  const nw_dataset& given = needed(dataset, call, "dataset");
  if (given.reserved != 0)
    throw InvalidArgument(base::text(call, ": the reserved member of the dataset is not 0"));
  return {{given.samples, given.features}, dtype_of_number(given.dtype, call), given.batch_size};
}

nw_dataset number_of(const Dataset& dataset) noexcept {
  return {dataset.shape().samples, dataset.shape().features, dataset.batch_size(), number_of(dataset.dtype()),
          0};
}

nw_view view_of(const AnyConstBatchView& view, Access access) noexcept {
  nw_view result{};
  result.data = const_cast<void*>(view.data());
  result.rows = view.rows();
  result.cols = view.cols();
  result.dtype = number_of(view.dtype());
  result.layout = static_cast<nw_layout>(view.layout());
  result.access = static_cast<nw_access>(access);
  switch (view.layout()) {
    case Layout::rows:
      result.row_stride = static_cast<std::int64_t>(view.row_stride());
      result.col_stride = 1;
      break;
    case Layout::columns:
      result.row_stride = 1;
      result.col_stride = static_cast<std::int64_t>(view.rows());
      break;
    case Layout::tiles:
      result.tile_rows = static_cast<std::int32_t>(tile_rows);
      break;
  }
  return result;
}

char* text_of(std::string_view text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}

}  // namespace nodewise::c

using namespace nodewise;
using namespace nodewise::c;

const char* nw_error_name(nw_error error) {
  return name_of<ErrorKind>(error);
}
const char* nw_last_message() {
  return last_error.message.data();
}
std::int32_t nw_last_errno() {
  return last_error.code;
}

const char* nw_version() {
#define NW_TEXT_OF(number) #number
#define NW_TEXT(number) NW_TEXT_OF(number)
  return NW_TEXT(NODEWISE_VERSION_MAJOR) "." NW_TEXT(NODEWISE_VERSION_MINOR) "." NW_TEXT(
      NODEWISE_VERSION_PATCH);
#undef NW_TEXT
#undef NW_TEXT_OF
}

nw_error nw_free(void* handle) {
  return run(__func__, [&](const char*) {
    if (handle != nullptr) remove_handle(handle).reset();
  });
}

void nw_text_free(char* text) {
  std::free(text);
}

const char* nw_dtype_name(nw_dtype dtype) {
  return dtype < 1 ? "" : name_of<DType>(dtype - 1);
}
nw_dtype nw_dtype_of_name(const char* name) {
  const auto dtype = name == nullptr ? std::nullopt : parse_dtype(name);
  return dtype ? number_of(*dtype) : NW_DTYPE_NONE;
}
std::size_t nw_dtype_bytes(nw_dtype dtype) {
  return dtype < 1 || dtype > 255 ? 0 : dtype_bytes(static_cast<DType>(dtype - 1));
}
const char* nw_layout_name(nw_layout layout) {
  return name_of<Layout>(layout);
}

nw_error nw_stop_make(nw_stop* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_stop>(Stop());
  });
}

nw_error nw_stop_make_polled(std::int32_t (*poll)(void* user), void* user, nw_stop* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out");
    needed(poll, call, "poll");
    *out = make_handle<nw_stop>(Stop::asking([poll, user] { return poll(user) != 0; }));
  });
}

nw_error nw_stop_request(nw_stop stop) {
  return run(__func__, [&](const char* call) { object(stop, call)->request(); });
}

nw_error nw_mean(const void* data, nw_dtype dtype, std::uint64_t count, double* out) {
  return run(__func__, [&](const char* call) {
    const DType type = dtype_of_number(dtype, call);
    if (count > 0) check_pointer(data, call, "data");
    needed(out, call, "out") = mean(data, type, count);
  });
}
