#include "means/exact_sum.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <nodewise/expects.hpp>

namespace nodewise {
namespace {

constexpr int fraction_bits = 52;
constexpr std::uint64_t hidden_bit = std::uint64_t{1} << fraction_bits;
constexpr std::uint64_t most_exact_integer = hidden_bit * 2;
constexpr int least_exponent = -1074;  // that of the least subnormal
constexpr std::uint64_t greatest_biased_exponent = 0x7ff;

int bit_width(Uint128 value) noexcept {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  if (high != 0) return 128 - std::countl_zero(high);
  return 64 - std::countl_zero(static_cast<std::uint64_t>(value));
}

// (value + less than one, if `sticky`) * 2^exponent, rounded half to even. Precondition: value >= 2^63.
double round_once(Uint128 value, bool sticky, int exponent) noexcept {
  NODEWISE_EXPECTS(value >> 63 != 0);
  const int width = bit_width(value);
  // The exponent of the last bit that is kept.
  const int last = std::max(exponent + width - (fraction_bits + 1), least_exponent);
  const int drop = last - exponent;
  if (drop > width) return 0;  // less than half of the least subnormal
  const Uint128 half = Uint128{1} << (drop - 1);
  const Uint128 rest = value & (half + (half - 1));
  std::uint64_t kept = drop == 128 ? 0 : static_cast<std::uint64_t>(value >> drop);
  if (rest > half || (rest == half && (sticky || (kept & 1) != 0))) ++kept;
  return std::ldexp(static_cast<double>(kept), last);
}

}  // namespace

double canonical_nan() noexcept {
  return std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});
}

double quotient(bool negative, Uint128 numerator, bool sticky, int exponent, std::uint64_t divisor) noexcept {
  NODEWISE_EXPECTS(divisor > 0 && (!sticky || numerator >> 127 != 0));
  if (numerator == 0) return 0;
  const int shift = 128 - bit_width(numerator);  // then the quotient has at least 64 bits
  numerator <<= shift;
  const Uint128 whole = numerator / divisor;
  const bool inexact = sticky || whole * divisor != numerator;
  const double magnitude = round_once(whole, inexact, exponent - shift);
  return negative ? -magnitude : magnitude;
}

Division divide(double high, double low, std::uint64_t divisor) noexcept {
  NODEWISE_EXPECTS(divisor > 0 && std::isfinite(high) && std::isfinite(low));
  if (divisor > most_exact_integer) return {};
  const auto n = static_cast<double>(divisor);
  if (low == 0) return {high == 0 ? 0.0 : high / n, true};
  const double sum = high + low;
  const double part = sum - high;
  const double rest = (high - (sum - part)) + (low - part);  // sum + rest equals high + low exactly
  const double size = std::fabs(sum);
  if (!(size > 0x1p-500 && size < 0x1p1000)) return {};
  if (std::has_single_bit(divisor)) return {sum / n, true};  // ties are common here; the sum has rounded them
  const double q = sum / n;
  const double correction = (std::fma(-q, n, sum) + rest) / n;
  // The fma is exact. The addition and the division after it have an error of less than 2^-51 of the
  // correction.
  const double margin = std::fabs(correction) * 0x1p-51;
  const double least = q + (correction - margin * 2);
  const double most = q + (correction + margin * 2);
  return {least, least == most};
}

void ExactSum::add(double value) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const bool negative = bits >> 63 != 0;
  const std::uint64_t biased = bits >> fraction_bits & greatest_biased_exponent;
  const std::uint64_t fraction = bits & (hidden_bit - 1);
  if (biased == greatest_biased_exponent) {
    (fraction != 0 ? nan_ : negative ? negative_infinite_ : infinite_) = true;
    return;
  }
  const std::uint64_t significand = biased == 0 ? fraction : fraction | hidden_bit;
  const std::uint64_t exponent = biased == 0 ? 1 : biased;  // the exponent minus least_exponent, plus 1
  const std::uint64_t position = exponent + (least_exponent - 1 - lowest_exponent);
  add_words(negative, static_cast<Uint128>(significand) << position % digit_bits, position / digit_bits);
}

void ExactSum::add(Int128 value) noexcept {
  const bool negative = value < 0;
  const auto bits = static_cast<Uint128>(value);
  add_words(negative, negative ? -bits : bits, -lowest_exponent / digit_bits);
}

void ExactSum::add_words(bool negative, Uint128 words, std::size_t digit) noexcept {
  for (; words != 0; words >>= digit_bits, ++digit) {
    const auto word = static_cast<std::int64_t>(words & 0xffffffff);
    digits_[digit] += negative ? -word : word;
  }
  if (++additions_ == 1U << 30) carry();
}

void ExactSum::add(const ExactSum& other) noexcept {
  ExactSum sorted = other;
  sorted.carry();
  carry();
  for (std::size_t i = 0; i < digit_count; ++i) digits_[i] += sorted.digits_[i];
  additions_ = 1;
  nan_ = nan_ || other.nan_;
  infinite_ = infinite_ || other.infinite_;
  negative_infinite_ = negative_infinite_ || other.negative_infinite_;
}

// Brings all digits except the highest into [0, 2^32); the highest one keeps the sign.
void ExactSum::carry() noexcept {
  for (std::size_t i = 0; i + 1 < digit_count; ++i) {
    digits_[i + 1] += digits_[i] >> digit_bits;
    digits_[i] &= 0xffffffff;
  }
  additions_ = 0;
}

double ExactSum::mean(std::uint64_t count) const noexcept {
  NODEWISE_EXPECTS(count > 0);
  if (is_nan()) return canonical_nan();
  if (infinite_) return std::numeric_limits<double>::infinity();
  if (negative_infinite_) return -std::numeric_limits<double>::infinity();
  ExactSum sum = *this;
  sum.carry();
  const bool negative = sum.digits_.back() < 0;
  if (negative) {
    for (std::int64_t& digit : sum.digits_) digit = -digit;
    sum.carry();
  }
  std::size_t top = digit_count;  // one more than the index of the highest digit that is not zero
  while (top > 0 && sum.digits_[top - 1] == 0) --top;
  Uint128 numerator = 0;  // the highest 128 bits
  bool sticky = false;
  int exponent = lowest_exponent;
  for (std::size_t i = top; i-- > 0;) {
    const auto digit = static_cast<std::uint32_t>(sum.digits_[i]);
    const int room = 128 - bit_width(numerator);
    const int taken = std::min(room, static_cast<int>(digit_bits));
    if (taken == 0) {
      sticky = sticky || digit != 0;
      continue;
    }
    numerator = numerator << taken | digit >> (digit_bits - static_cast<unsigned>(taken));
    sticky = taken < 32 && (digit << taken) != 0;
    exponent = lowest_exponent + static_cast<int>(i * digit_bits) + static_cast<int>(digit_bits) - taken;
  }
  return quotient(negative, numerator, sticky, exponent, count);
}

}  // namespace nodewise
