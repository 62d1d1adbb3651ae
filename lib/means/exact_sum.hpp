// A sum that never rounds, and the one rounding at the end.
#pragma once

#include <array>
#include <cstdint>

#include "base/checked.hpp"

namespace nodewise {

using base::Int128;
using base::Uint128;

/// The canonical quiet NaN.
double canonical_nan() noexcept;

/// (numerator + less than one, if `sticky`) * 2^exponent / divisor, rounded once, half to even; subnormal
/// results too; infinity beyond the largest. Preconditions: divisor > 0, and with `sticky` the numerator is
/// at least 2^127.
double quotient(bool negative, Uint128 numerator, bool sticky, int exponent, std::uint64_t divisor) noexcept;

/// (high + low) / divisor, rounded once, and whether that is certain: where it is false, the result is too
/// near the middle between two doubles, or too large or small, for this short way. Exact zero gives +0.
/// Precondition: divisor > 0; high and low are finite.
struct Division {
  double value = 0;
  bool certain = false;
};
Division divide(double high, double low, std::uint64_t divisor) noexcept;

/// The exact sum of any doubles and integers: a fixed-point number wide enough for 2^64 of the largest
/// doubles and the least bit of the smallest. Infinities and NaN are kept apart, as IEEE 754 adds them.
/// Thread class: value.
class ExactSum {
 public:
  void add(double value) noexcept;
  void add(Int128 value) noexcept;
  void add(const ExactSum& other) noexcept;
  bool is_nan() const noexcept { return nan_ || (infinite_ && negative_infinite_); }
  /// The sum divided by `count`, rounded once. The mean of exact zero is +0. Infinity beyond the
  /// largest double, which the mean of finite values, by their own count, never is. Precondition: count > 0.
  double mean(std::uint64_t count) const noexcept;

 private:
  // Digits of 32 bits, each with room for 2^30 additions before their carries must go on.
  static constexpr unsigned digit_bits = 32;
  static constexpr int lowest_exponent = -1088;  // of bit 0 of digit 0; the least double is 2^-1074
  static constexpr std::size_t digit_count = 70;

  void add_words(bool negative, Uint128 words, std::size_t digit) noexcept;
  void carry() noexcept;

  std::array<std::int64_t, digit_count> digits_{};
  std::uint32_t additions_ = 0;  // since the last carry
  bool nan_ = false;
  bool infinite_ = false;
  bool negative_infinite_ = false;
};

}  // namespace nodewise
