// A matrix in any strides as a source, and a number of any element type.
#pragma once

#include <cstdint>

#include <nodewise/dataset.hpp>
#include <nodewise/source.hpp>

namespace nodewise::c {

/// The rows of a matrix whose element (row, col) is row * row_stride + col * col_stride bytes from `data`.
/// The matrix must stay readable and unchanged while the source is used.
Source strided_source(const void* data, const Dataset& dataset, std::int64_t row_stride,
                      std::int64_t col_stride);

/// Calls `use(T{})` for the C++ type T of `dtype`.
template <class Use>
void with_element(DType dtype, Use&& use) {
  switch (dtype) {
    case DType::f64:
      return use(double{});
    case DType::f32:
      return use(float{});
    case DType::f16:
      return use(float16{});
    case DType::bf16:
      return use(bfloat16{});
    case DType::i64:
      return use(std::int64_t{});
    case DType::i32:
      return use(std::int32_t{});
    case DType::i16:
      return use(std::int16_t{});
    case DType::i8:
      return use(std::int8_t{});
    case DType::u64:
      return use(std::uint64_t{});
    case DType::u32:
      return use(std::uint32_t{});
    case DType::u16:
      return use(std::uint16_t{});
    case DType::u8:
      return use(std::uint8_t{});
  }
}

}  // namespace nodewise::c
