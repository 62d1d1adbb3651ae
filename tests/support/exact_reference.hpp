// The mean as docs/means.md defines it, written a second time: slowly, bit by bit, with none of the library's
// code. Shared by the tests that hold the library to it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <nodewise/dtype.hpp>

namespace reference {

/// A non-negative number of `bits` bits, the lowest one worth 2^-1074.
class Magnitude {
 public:
  Magnitude() : bits_(2400 / 32) {}

  void add(std::uint64_t value, std::size_t position) {
    for (std::size_t bit = 0; bit < 64; ++bit)
      if ((value >> bit & 1) != 0) add_bit(position + bit);
  }
  void subtract(const Magnitude& other) {  // precondition: other is not greater
    std::int64_t borrow = 0;
    for (std::size_t i = 0; i < bits_.size(); ++i) {
      const std::int64_t digit = std::int64_t{bits_[i]} - other.bits_[i] - borrow;
      borrow = digit < 0 ? 1 : 0;
      bits_[i] = static_cast<std::uint32_t>(digit);
    }
  }
  bool less(const Magnitude& other) const {
    for (std::size_t i = bits_.size(); i-- > 0;)
      if (bits_[i] != other.bits_[i]) return bits_[i] < other.bits_[i];
    return false;
  }
  /// Divided by `divisor` < 2^32 and rounded half to even.
  double divided(std::uint32_t divisor) const {
    std::vector<bool> quotient;  // highest bit first
    std::uint64_t rest = 0;
    for (std::size_t i = bits_.size() * 32; i-- > 0;) {
      rest = rest * 2 + (bits_[i / 32] >> (i % 32) & 1);
      quotient.push_back(rest >= divisor);
      if (rest >= divisor) rest -= divisor;
    }
    std::size_t first = 0;
    while (first < quotient.size() && !quotient[first]) ++first;
    const std::size_t kept = std::min(quotient.size(), first + 53);
    std::uint64_t significand = 0;
    for (std::size_t i = first; i < kept; ++i) significand = significand * 2 + (quotient[i] ? 1 : 0);
    const auto exponent = static_cast<int>(quotient.size() - kept) - 1074;
    if (kept == quotient.size()) {  // nothing but the remainder of the division is cut off
      if (rest * 2 > divisor || (rest * 2 == divisor && significand % 2 == 1)) ++significand;
    } else if (quotient[kept]) {
      bool more = rest != 0 || significand % 2 == 1;
      for (std::size_t i = kept + 1; i < quotient.size(); ++i) more = more || quotient[i];
      if (more) ++significand;
    }
    return std::ldexp(static_cast<double>(significand), exponent);
  }

 private:
  void add_bit(std::size_t position) {
    std::size_t i = position / 32;
    std::uint64_t carry = std::uint64_t{1} << (position % 32);
    for (; carry != 0; ++i) {
      carry += bits_[i];
      bits_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  std::vector<std::uint32_t> bits_;
};

class Mean {
 public:
  void add(double value) {
    ++count_;
    if (std::isnan(value)) nan_ = true;
    if (std::isinf(value)) (value < 0 ? minus_infinity_ : plus_infinity_) = true;
    if (!std::isfinite(value)) return;
    int exponent = 0;
    const double fraction = std::frexp(std::fabs(value), &exponent);  // exact, subnormals too
    const auto position = std::max(exponent - 53, -1074);
    const auto significand = static_cast<std::uint64_t>(std::ldexp(fraction, exponent - position));
    (value < 0 ? negative_ : positive_).add(significand, static_cast<std::size_t>(position) + 1074);
  }
  void add(std::uint64_t value) {
    ++count_;
    positive_.add(value, 1074);
  }
  void add(std::int64_t value) {
    ++count_;
    (value < 0 ? negative_ : positive_)
        .add(value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value), 1074);
  }

  double result() const { return divided(count_); }
  /// The sum divided by something else than the count; 0 gives NaN.
  double divided(std::uint32_t divisor) const {
    if (divisor == 0 || nan_ || (plus_infinity_ && minus_infinity_))
      return std::bit_cast<double>(0x7ff8000000000000);
    if (plus_infinity_ || minus_infinity_) return plus_infinity_ ? infinity : -infinity;
    const bool negative = positive_.less(negative_);
    Magnitude rest = negative ? negative_ : positive_;
    rest.subtract(negative ? positive_ : negative_);
    const double magnitude = rest.divided(divisor);
    return negative ? -magnitude : magnitude;
  }

 private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  Magnitude positive_, negative_;
  std::uint32_t count_ = 0;
  bool nan_ = false, plus_infinity_ = false, minus_infinity_ = false;
};

/// A binary16 or bfloat16, from its definition: `fraction_bits` of significand, exponents from `least`.
inline double small_float(std::uint16_t bits, int fraction_bits, int bias) {
  const int exponent_bits = 15 - fraction_bits;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  double value = 0;
  if (exponent == (1 << exponent_bits) - 1)
    value =
        fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    value = std::ldexp(fraction, 1 - bias - fraction_bits);
  else
    value = std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
  return bits >> 15 != 0 ? -value : value;
}

/// Each type has its own function below. Without this, a type that converts to float would be read by the
/// library's own conversion.
template <class T>
double value_of(T value) = delete;

inline double value_of(double value) {
  return value;
}
inline double value_of(float value) {
  return static_cast<double>(value);
}
inline double value_of(nodewise::float16 value) {
  return small_float(value.bits, 10, 15);
}
inline double value_of(nodewise::bfloat16 value) {
  return small_float(value.bits, 7, 127);
}
template <class T>
requires std::is_integral_v<T>
auto value_of(T value) {
  return static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(value);
}

template <class T>
double mean(const T* data, std::size_t count) {
  Mean mean;
  for (std::size_t i = 0; i < count; ++i) mean.add(value_of(data[i]));
  return mean.result();
}

}  // namespace reference
