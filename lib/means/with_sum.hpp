// The sum that suits an element type.
#pragma once

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"
#include "means/float_sum.hpp"
#include "means/integer_sum.hpp"

namespace nodewise {

/// Calls fn with the sum that suits `dtype`: FloatSum or IntegerSum.
template <class Fn>
void with_sum(DType dtype, const KernelSet& kernels, Fn fn) {
  switch (dtype) {
    case DType::f64:
    case DType::f32:
    case DType::f16:
    case DType::bf16: {
      FloatSum sum(dtype, kernels);
      return fn(sum);
    }
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u64:
    case DType::u32:
    case DType::u16:
    case DType::u8: {
      IntegerSum sum(dtype, kernels);
      return fn(sum);
    }
  }
}

}  // namespace nodewise
