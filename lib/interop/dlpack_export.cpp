#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include <nodewise/dlpack.hpp>
#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise::dlpack {

// The structs of dlpack.h on 64-bit machines, which never change.
static_assert(sizeof(DataType) == 4 && sizeof(Tensor) == 48 && offsetof(Tensor, ndim) == 16 &&
              offsetof(Tensor, dtype) == 20 && offsetof(Tensor, shape) == 24 &&
              offsetof(Tensor, strides) == 32 && offsetof(Tensor, byte_offset) == 40);
static_assert(sizeof(ManagedTensor) == 64 && offsetof(ManagedTensor, context) == 48 &&
              offsetof(ManagedTensor, deleter) == 56);
static_assert(sizeof(VersionedTensor) == 80 && offsetof(VersionedTensor, context) == 8 &&
              offsetof(VersionedTensor, deleter) == 16 && offsetof(VersionedTensor, flags) == 24 &&
              offsetof(VersionedTensor, tensor) == 32);

namespace {

constexpr std::size_t most_dimensions = 32;

// What an exported tensor needs as long as it exists. The deleter of the tensor destroys it.
template <class Managed>
struct Export {
  Managed managed{};
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  Pages pages;
};

void check_shape(const Array& array) {
  const std::size_t dimensions = array.shape.size();
  if (dimensions > most_dimensions)
    throw InvalidArgument(base::text("DLPack export: the array has ", dimensions, " dimensions; at most ",
                                     most_dimensions, " can be exported"));
  if (!array.strides.empty() && array.strides.size() != dimensions)
    throw InvalidArgument(base::text("DLPack export: the shape has ", dimensions,
                                     " dimensions, and the strides have ", array.strides.size()));
  for (const std::int64_t length : array.shape)
    if (length < 0)
      throw InvalidArgument(base::text("DLPack export: the shape contains the negative length ", length));
}

bool is_empty(const Array& array) {
  return std::ranges::find(array.shape, 0) != array.shape.end();
}

[[noreturn]] void throw_outside(const Array& array, const Pages& pages) {
  const auto offset =
      reinterpret_cast<std::intptr_t>(array.data) - reinterpret_cast<std::intptr_t>(pages.data());
  throw InvalidArgument(base::text("DLPack export: the array does not lie in the pages; it begins ", offset,
                                   " bytes from their start, and they have ", pages.size_bytes(), " bytes"));
}

// Row-major strides. If they exceed 63 bits, the array lies in no pages.
std::vector<std::int64_t> strides_of(const Array& array, const Pages& pages) {
  if (!array.strides.empty()) return array.strides;
  std::vector<std::int64_t> strides(array.shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = strides.size(); i-- > 0;) {
    strides[i] = stride;
    if (__builtin_mul_overflow(stride, std::max<std::int64_t>(array.shape[i], 1), &stride))
      throw_outside(array, pages);
  }
  return strides;
}

// Throws if an element lies outside of the pages.
void check_inside(const Array& array, const std::vector<std::int64_t>& strides, const Pages& pages) {
  std::int64_t first = 0, last = 0;  // of the elements, counted from `data`
  for (std::size_t i = 0; i < strides.size(); ++i) {
    std::int64_t span = 0;
    std::int64_t& end = strides[i] < 0 ? first : last;
    if (__builtin_mul_overflow(array.shape[i] - 1, strides[i], &span) ||
        __builtin_add_overflow(end, span, &end))
      throw_outside(array, pages);
  }
  const auto bytes = static_cast<std::int64_t>(dtype_bytes(array.dtype));
  const auto base = reinterpret_cast<std::intptr_t>(array.data);
  const auto begin = reinterpret_cast<std::intptr_t>(pages.data());
  const auto end = begin + static_cast<std::intptr_t>(pages.size_bytes());
  std::int64_t from = 0, to = 0;
  if (__builtin_mul_overflow(first, bytes, &from) || __builtin_add_overflow(base, from, &from) ||
      __builtin_mul_overflow(last, bytes, &to) || __builtin_add_overflow(base + bytes, to, &to) ||
      from < begin || to > end)
    throw_outside(array, pages);
}

template <class Managed>
std::unique_ptr<Export<Managed>> made(const Pages& pages, const Array& array) {
  check_shape(array);
  auto result = std::make_unique<Export<Managed>>();
  result->shape = array.shape;
  result->strides = strides_of(array, pages);
  if (!is_empty(array)) check_inside(array, result->strides, pages);
  result->pages = pages;
  Managed& managed = result->managed;
  managed.tensor.data = is_empty(array) ? nullptr : const_cast<void*>(array.data);
  managed.tensor.device = cpu;
  managed.tensor.ndim = static_cast<std::int32_t>(array.shape.size());
  managed.tensor.dtype = data_type(array.dtype);
  managed.tensor.shape = result->shape.data();
  managed.tensor.strides = result->strides.data();
  managed.context = result.get();
  managed.deleter = [](Managed* self) {
    if (self != nullptr) delete static_cast<Export<Managed>*>(self->context);
  };
  return result;
}

bool is_read_only(const Pages& pages, const Array& array) {
  return array.read_only || (pages && !pages.writable());
}

Array array_of_rows(const AnyConstBatchView& view, bool read_only) {
  Array array{.data = view.data(),
              .dtype = view.dtype(),
              .shape = {static_cast<std::int64_t>(view.rows()), static_cast<std::int64_t>(view.cols())},
              .read_only = read_only};
  switch (view.layout()) {
    case Layout::rows:
      array.strides = {static_cast<std::int64_t>(view.row_stride()), 1};
      return array;
    case Layout::columns:
      array.strides = {1, static_cast<std::int64_t>(view.rows())};
      return array;
    case Layout::tiles:
      break;
  }
  throw InvalidArgument(
      "DLPack export: the batch is arranged in tiles, which strides cannot describe; convert the loader to "
      "rows or columns");
}

}  // namespace

DataType data_type(DType dtype) noexcept {
  const auto bits = static_cast<std::uint8_t>(8 * dtype_bytes(dtype));
  switch (dtype) {
    case DType::f64:
    case DType::f32:
    case DType::f16:
      return {code_float, bits, 1};
    case DType::bf16:
      return {code_bfloat, bits, 1};
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
      return {code_int, bits, 1};
    case DType::u64:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      return {code_uint, bits, 1};
  }
  return {};  // not an element type
}

Array array_of(const AnyBatchView& view) {
  return array_of_rows(view, view.access() == Access::read_only);
}
Array array_of(const AnyConstBatchView& view) {
  return array_of_rows(view, true);
}

VersionedTensor* export_versioned(const Pages& pages, const Array& array) {
  auto result = made<VersionedTensor>(pages, array);
  result->managed.version = version;
  result->managed.flags =
      (is_read_only(pages, array) ? flag_read_only : 0) | (array.copied ? flag_copied : 0);
  return &result.release()->managed;
}

ManagedTensor* export_unversioned(const Pages& pages, const Array& array) {
  if (is_read_only(pages, array))
    throw InvalidArgument(
        "DLPack export: the memory is read-only, which the unversioned form cannot say; the consumer must "
        "accept DLPack 1.0 (in Python, max_version=(1, 0)), or use a copy");
  return &made<ManagedTensor>(pages, array).release()->managed;
}

}  // namespace nodewise::dlpack
