// From an element type known at run time to one that the compiler knows, for tests and benchmarks.
#pragma once

#include <cstdint>

#include <nodewise/dtype.hpp>

namespace nodewise::test {

/// Calls fn(T()) with T the C++ type of `dtype`.
template <class Fn>
void with_type(DType dtype, Fn fn) {
  switch (dtype) {
    case DType::f64:
      return fn(double());
    case DType::f32:
      return fn(float());
    case DType::f16:
      return fn(float16());
    case DType::bf16:
      return fn(bfloat16());
    case DType::i64:
      return fn(std::int64_t());
    case DType::i32:
      return fn(std::int32_t());
    case DType::i16:
      return fn(std::int16_t());
    case DType::i8:
      return fn(std::int8_t());
    case DType::u64:
      return fn(std::uint64_t());
    case DType::u32:
      return fn(std::uint32_t());
    case DType::u16:
      return fn(std::uint16_t());
    case DType::u8:
      return fn(std::uint8_t());
  }
}

}  // namespace nodewise::test
