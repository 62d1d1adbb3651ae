// Pseudo-random elements, the same on every machine and in tests/data/means/make_golden.py.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <vector>

#include <nodewise/dtype.hpp>

#include "with_type.hpp"

namespace nodewise::test {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// Bits in the exponent of each element type; 0 for integers.
constexpr int exponent_bits_of[] = {11, 8, 5, 8, 0, 0, 0, 0, 0, 0, 0, 0};
static_assert(std::size(exponent_bits_of) == dtype_count);
constexpr int exponent_bits(DType dtype) {
  return exponent_bits_of[static_cast<std::size_t>(dtype)];
}

/// The bits of one element of "any" kind: `random`'s highest, but no infinity and no NaN.
inline std::uint64_t any_bits(DType dtype, std::uint64_t random) {
  const auto width = static_cast<int>(dtype_bytes(dtype) * 8);
  const int exponent = exponent_bits(dtype);
  std::uint64_t bits = random >> (64 - width);
  const std::uint64_t mask = ((std::uint64_t{1} << exponent) - 1) << (width - 1 - exponent);
  if (exponent != 0 && (bits & mask) == mask) bits ^= std::uint64_t{1} << (width - 2);
  return bits;
}

/// The bits of one element of "mild" kind: a float in [-1, 1), evenly spaced. Precondition: a floating-point
/// type.
inline std::uint64_t mild_bits(DType dtype, std::uint64_t random) {
  const int fraction_bits = static_cast<int>(dtype_bytes(dtype) * 8) - 1 - exponent_bits(dtype);
  const auto steps = static_cast<std::int64_t>(random >> (63 - fraction_bits));
  const std::int64_t one = std::int64_t{1} << fraction_bits;
  const double value = static_cast<double>(steps - one) / static_cast<double>(one);
  std::uint64_t bits = 0;
  with_type(dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_same_v<T, double>)
      element = value;
    else if constexpr (!std::is_integral_v<T>)
      element = T(static_cast<float>(value));  // exactly
    std::memcpy(&bits, &element, sizeof element);
  });
  return bits;
}

/// `count` elements of a kind ("any_bits" or "mild_bits"), as bytes.
inline std::vector<std::byte> elements(DType dtype, std::uint64_t count,
                                       std::uint64_t (*kind)(DType, std::uint64_t), std::uint64_t seed) {
  static_assert(std::endian::native == std::endian::little);
  SplitMix64 random(seed);
  const std::size_t width = dtype_bytes(dtype);
  std::vector<std::byte> data(count * width);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = kind(dtype, random());
    std::memcpy(data.data() + i * width, &bits, width);
  }
  return data;
}

/// The same bits: tells -0 from +0, and one NaN from another.
inline bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

}  // namespace nodewise::test
