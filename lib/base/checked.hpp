// Arithmetic on sizes that cannot overflow silently, and the function by which all work is divided.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

#include <nodewise/expects.hpp>

namespace nodewise::base {

constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

/// Precondition: unit is a power of two, and the result fits.
constexpr std::uint64_t round_down(std::uint64_t value, std::uint64_t unit) noexcept {
  NODEWISE_EXPECTS(std::has_single_bit(unit));
  return value & ~(unit - 1);
}
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) noexcept {
  NODEWISE_EXPECTS(value + (unit - 1) >= value);
  return round_down(value + unit - 1, unit);
}

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

/// a * b / c in 128 bits, rounded down. Precondition: the result fits.
constexpr std::uint64_t mul_div(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  NODEWISE_EXPECTS(c > 0 && static_cast<Uint128>(a) * b / c <= ~std::uint64_t{0});
  return static_cast<std::uint64_t>(static_cast<Uint128>(a) * b / c);
}

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  constexpr std::uint64_t size() const noexcept { return end - begin; }
};

/// Part number `index` of [0, count), which is divided into `parts` contiguous parts. Their sizes differ by
/// at most one.
constexpr Range split(std::uint64_t count, std::uint64_t parts, std::uint64_t index) noexcept {
  return {mul_div(count, index, parts), mul_div(count, index + 1, parts)};
}

}  // namespace nodewise::base
