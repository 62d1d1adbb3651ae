// Numbers of any element type.
#pragma once

#include <cstdint>

#include <nodewise/dtype.hpp>

namespace nodewise::c {

/// Calls `use(T{})` for the C++ type T of `dtype`.
template <class Use>
decltype(auto) with_element(DType dtype, Use&& use) {
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
  return use(double{});  // not an element type
}

}  // namespace nodewise::c
