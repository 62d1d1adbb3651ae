// Whether an element type is a floating-point type, or an integer type with or without a sign.
#pragma once

#include <nodewise/dtype.hpp>

namespace nodewise::base {

enum class NumberKind : unsigned char { floating, with_sign, without_sign };

constexpr NumberKind number_kind(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return NumberKind::floating;
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
      return NumberKind::with_sign;
    case DType::u64:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;
  }
  return NumberKind::without_sign;
}

}  // namespace nodewise::base
