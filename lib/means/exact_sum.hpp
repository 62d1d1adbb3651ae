// A sum that is exact, and is rounded once at the end.
#pragma once

#include <array>
#include <cstdint>

#include "base/checked.hpp"

namespace nodewise {

using base::Int128;
using base::Uint128;

/// The canonical quiet NaN.
double canonical_nan() noexcept;

/// (numerator + less than one, if `sticky`) * 2^exponent / divisor, rounded once, half to even. Results may
/// be subnormal; results that are too large give infinity. Preconditions: divisor > 0; with `sticky`, the
/// numerator is at least 2^127.
double quotient(bool negative, Uint128 numerator, bool sticky, int exponent, std::uint64_t divisor) noexcept;

/// (high + low) / divisor, rounded once, and whether this result is certain. It is not if it is too near the
/// middle between two doubles, or too large or too small for this fast calculation. An exact zero gives +0.
/// Preconditions: divisor > 0, high and low are finite.
struct Division {
  double value = 0;
  bool certain = false;
};
Division divide(double high, double low, std::uint64_t divisor) noexcept;

/// The exact sum of doubles and integers. It is a fixed-point number that has room for 2^64 of the largest
/// doubles and for the lowest bit of the smallest one. Infinities and NaN are kept separately, and are added
/// as IEEE 754 defines. Thread class: value.
class ExactSum {
 public:
  void add(double value) noexcept;
  void add(Int128 value) noexcept;
  void add(const ExactSum& other) noexcept;
  bool is_nan() const noexcept { return nan_ || (infinite_ && negative_infinite_); }
  /// The sum divided by `count`, rounded once. The mean of an exact zero is +0. A result beyond the largest
  /// double is infinity; this cannot happen if `count` is the number of values and all are finite.
  /// Precondition: count > 0.
  double mean(std::uint64_t count) const noexcept;

 private:
  // Digits of 32 bits. Each has room for 2^30 additions before carries must be passed on.
  static constexpr unsigned digit_bits = 32;
  static constexpr int lowest_exponent = -1088;  // that of bit 0 of digit 0; the least double is 2^-1074
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
