#include <nodewise/c/dlpack.h>

#include <nodewise/dlpack.hpp>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

static_assert(NW_DLPACK_READ_ONLY == dlpack::flag_read_only && NW_DLPACK_COPIED == dlpack::flag_copied);

std::vector<std::int64_t> numbers_of(const std::int64_t* first, std::int32_t count) {
  return {first, first + count};
}

dlpack::Array array_of(const void* data, std::int32_t ndim, const std::int64_t* shape,
                       const std::int64_t* strides, nw_dtype dtype, std::uint64_t flags, const char* call) {
  if (ndim < 0) throw InvalidArgument(base::text(call, ": `ndim` is ", ndim));
  if (ndim > 0) check_pointer(shape, call, "shape");
  constexpr std::uint64_t known = NW_DLPACK_READ_ONLY | NW_DLPACK_COPIED;
  if ((flags & ~known) != 0)
    throw InvalidArgument(base::text(call, ": `flags` is ", flags, ", which contains unknown flags"));
  dlpack::Array array{.data = data, .dtype = dtype_of_number(dtype, call), .shape = numbers_of(shape, ndim)};
  if (strides != nullptr) array.strides = numbers_of(strides, ndim);
  array.read_only = (flags & NW_DLPACK_READ_ONLY) != 0;
  array.copied = (flags & NW_DLPACK_COPIED) != 0;
  return array;
}

template <class Managed>
void call_deleter(void* tensor) noexcept {
  auto* managed = static_cast<Managed*>(tensor);
  if (managed != nullptr && managed->deleter != nullptr) managed->deleter(managed);
}

void call_deleter(void* tensor, bool versioned) noexcept {
  if (versioned)
    call_deleter<dlpack::VersionedTensor>(tensor);
  else
    call_deleter<dlpack::ManagedTensor>(tensor);
}

template <class Managed>
nw_loader loader_of(Managed* tensor, std::uint64_t batch_size, const LoaderOptions& options) {
  return make_handle<nw_loader>(dlpack::import_tensor(tensor, batch_size, options));
}

}  // namespace

nw_error nw_dlpack_export(nw_pages pages, const void* data, std::int32_t ndim, const std::int64_t* shape,
                          const std::int64_t* strides, nw_dtype dtype, std::uint64_t flags,
                          std::int32_t versioned, void** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto owner = object(pages, call);
    const dlpack::Array array = array_of(data, ndim, shape, strides, dtype, flags, call);
    if (flag_of(versioned, call, "versioned"))
      *out = dlpack::export_versioned(*owner, array);
    else
      *out = dlpack::export_unversioned(*owner, array);
  });
}

nw_error nw_dlpack_delete(void* tensor, std::int32_t versioned) {
  return run(__func__,
             [&](const char* call) { call_deleter(tensor, flag_of(versioned, call, "versioned")); });
}

nw_error nw_dlpack_import(void* tensor, std::int32_t versioned, std::uint64_t batch_size,
                          const nw_loader_options* options, nw_loader* out) {
  bool taken = false;  // by import_tensor(), which calls the deleter if it fails
  const nw_error error = run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(tensor, call, "tensor");
    const bool is_versioned = flag_of(versioned, call, "versioned");
    const LoaderOptions chosen = adopting_options_of(options, call);
    taken = true;
    *out = is_versioned ? loader_of(static_cast<dlpack::VersionedTensor*>(tensor), batch_size, chosen)
                        : loader_of(static_cast<dlpack::ManagedTensor*>(tensor), batch_size, chosen);
  });
  // A number that is no flag does not say which form the tensor has, so its deleter cannot be found.
  if (!taken && (versioned == 0 || versioned == 1)) call_deleter(tensor, versioned == 1);
  return error;
}
