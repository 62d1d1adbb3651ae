#include "base/convert_element.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include <nodewise/expects.hpp>

#include "base/text.hpp"

namespace nodewise::base {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are read as the low bytes of a word");

// All of this computes with integers, so the caller's rounding mode and flush-to-zero mode do not matter.

// How the bits of an element type are used.
struct Format {
  int bits = 0;
  bool has_sign = true;
  int fraction_bits = 0;  // of a floating-point type; else 0
  const char* cpp_type = "";

  bool is_floating() const { return fraction_bits > 0; }
  std::uint64_t sign_bit() const { return std::uint64_t{1} << (bits - 1); }
  std::uint64_t all_bits() const { return sign_bit() | (sign_bit() - 1); }
  std::uint64_t hidden_bit() const { return std::uint64_t{1} << fraction_bits; }
  std::uint64_t infinity() const { return sign_bit() - hidden_bit(); }
  int bias() const { return (1 << (bits - fraction_bits - 2)) - 1; }
};

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return {64, true, 52, "double"};
    case DType::f32:
      return {32, true, 23, "float"};
    case DType::f16:
      return {16, true, 10, "nodewise::float16"};
    case DType::bf16:
      return {16, true, 7, "nodewise::bfloat16"};
    case DType::i64:
      return {64, true, 0, "std::int64_t"};
    case DType::i32:
      return {32, true, 0, "std::int32_t"};
    case DType::i16:
      return {16, true, 0, "std::int16_t"};
    case DType::i8:
      return {8, true, 0, "std::int8_t"};
    case DType::u64:
      return {64, false, 0, "std::uint64_t"};
    case DType::u32:
      return {32, false, 0, "std::uint32_t"};
    case DType::u16:
      return {16, false, 0, "std::uint16_t"};
    case DType::u8:
      return {8, false, 0, "std::uint8_t"};
  }
  return {};
}

// (-1)^negative * significand * 2^exponent, or an infinity or NaN.
struct Number {
  enum class Kind { finite, infinite, nan };
  Kind kind = Kind::finite;
  bool negative = false;
  std::uint64_t significand = 0;
  int exponent = 0;
};

Number read(const Format& format, std::uint64_t raw) {
  Number number;
  number.negative = format.has_sign && (raw & format.sign_bit()) != 0;
  if (!format.is_floating()) {
    number.significand = number.negative ? (0 - raw) & format.all_bits() : raw;
    return number;
  }
  const std::uint64_t magnitude = raw & (format.sign_bit() - 1);
  if (magnitude >= format.infinity()) {
    number.kind = magnitude == format.infinity() ? Number::Kind::infinite : Number::Kind::nan;
    return number;
  }
  const auto exponent = static_cast<int>(magnitude >> format.fraction_bits);  // 0: there is no hidden bit
  number.significand = magnitude & (format.hidden_bit() - 1);
  if (exponent > 0) number.significand |= format.hidden_bit();
  number.exponent = std::max(exponent, 1) - format.bias() - format.fraction_bits;
  return number;
}

struct Written {
  std::uint64_t raw = 0;
  bool same = true;  // whether it is the number that was to be written
};

// value / 2^shift, rounded half to even. Precondition: shift > 0.
Written shift_rounded(std::uint64_t value, int shift) {
  NODEWISE_EXPECTS(shift > 0);
  if (shift > 64) return {0, value == 0};  // less than one half
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  const std::uint64_t kept = shift == 64 ? 0 : value >> shift;
  const std::uint64_t rest = value & (half | (half - 1));
  const bool up = rest > half || (rest == half && kept % 2 == 1);
  return {kept + (up ? 1 : 0), rest == 0};
}

Written write_integer(const Format& format, const Number& number) {
  if (number.kind == Number::Kind::nan) return {0, false};
  const std::uint64_t most = !format.has_sign  ? (number.negative ? 0 : format.all_bits())
                             : number.negative ? format.sign_bit()
                                               : format.sign_bit() - 1;
  Written magnitude{number.significand, true};
  if (number.exponent < 0) magnitude = shift_rounded(number.significand, -number.exponent);
  const bool beyond =
      number.kind == Number::Kind::infinite || (number.exponent > 0 && number.significand > 0 &&
                                                number.exponent > std::countl_zero(number.significand));
  if (number.exponent > 0 && !beyond) magnitude.raw <<= number.exponent;
  if (beyond || magnitude.raw > most) magnitude = {most, false};
  // -0, or a number that was rounded to it
  if (number.negative && magnitude.raw == 0) magnitude.same = false;
  return {(number.negative ? 0 - magnitude.raw : magnitude.raw) & format.all_bits(), magnitude.same};
}

// Writes the absolute value of the number.
Written write_magnitude(const Format& format, const Number& number) {
  if (number.kind == Number::Kind::nan) return {format.infinity() | format.hidden_bit() >> 1, true};
  if (number.kind == Number::Kind::infinite) return {format.infinity(), true};
  if (number.significand == 0) return {0, true};
  // That of the leading bit.
  const int exponent = 63 - std::countl_zero(number.significand) + number.exponent;
  if (exponent > format.bias()) return {format.infinity(), false};
  const int least_normal = 1 - format.bias();
  const int last_bit = std::max(exponent, least_normal) - format.fraction_bits;
  const int shift = last_bit - number.exponent;
  Written fraction{number.significand, true};
  if (shift > 0) fraction = shift_rounded(number.significand, shift);
  if (shift < 0) fraction.raw <<= -shift;
  // Two things may carry into the exponent: the hidden bit, and a fraction that was rounded up to the next
  // power of two.
  const auto exponent_bits = static_cast<std::uint64_t>(std::max(exponent, least_normal) - least_normal);
  return {(exponent_bits << format.fraction_bits) + fraction.raw, fraction.same};
}

Written write(const Format& format, const Number& number) {
  if (!format.is_floating()) return write_integer(format, number);
  Written written = write_magnitude(format, number);
  if (number.negative) written.raw |= format.sign_bit();
  return written;
}

template <class T>
T converted(DType from, const void* value) {
  T wide{};
  convert_element(from, value, dtype_of<T>, &wide);
  return wide;
}

}  // namespace

bool convert_element(DType from, const void* value, DType to, void* at) noexcept {
  std::uint64_t raw = 0;
  std::memcpy(&raw, value, dtype_bytes(from));
  const Written written = write(format_of(to), read(format_of(from), raw));
  std::memcpy(at, &written.raw, dtype_bytes(to));
  return written.same;
}

std::string element_text(DType dtype, const void* value) {
  const Format format = format_of(dtype);
  if (format.is_floating()) return text(converted<double>(dtype, value));
  return format.has_sign ? text(converted<std::int64_t>(dtype, value))
                         : text(converted<std::uint64_t>(dtype, value));
}

const char* element_type_name(DType dtype) noexcept {
  return format_of(dtype).cpp_type;
}

}  // namespace nodewise::base
