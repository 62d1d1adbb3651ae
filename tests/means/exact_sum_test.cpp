// Goal: sums never round, and quotients round once, by whichever of the ways they are computed.
// Method: against the slow reference, on data whose range of exponents drives FloatSum through each of its
// ways and back, with every instruction set that this processor can run.
#include "means/exact_sum.hpp"

#include <doctest/doctest.h>

#include <cfloat>
#include <cmath>

#include "base/fp_guard.hpp"
#include "kernels/dispatch.hpp"
#include "means/float_sum.hpp"
#include "support/exact_reference.hpp"
#include "support/random_elements.hpp"

using namespace nodewise;
using test::same;
using test::SplitMix64;

namespace {

// 2^exponent times something in [1, 2), of either sign.
double of_magnitude(SplitMix64& random, int exponent) {
  const std::uint64_t bits = random();
  const double significand = std::bit_cast<double>(0x3ff0000000000000 | bits >> 12);
  return std::ldexp((bits & 1) != 0 ? -significand : significand, exponent);
}

// Exponents from `least` to `greatest`, evenly.
std::vector<double> ranging(int least, int greatest, std::size_t count, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<double> data(count);
  for (double& value : data)
    value = of_magnitude(random,
                         least + static_cast<int>(random() % static_cast<unsigned>(greatest - least + 1)));
  return data;
}

template <class T>
const std::byte* bytes(const std::vector<T>& data) {
  return reinterpret_cast<const std::byte*>(data.data());
}

template <class T>
double sum_up(const KernelSet& kernels, const std::vector<T>& data) {
  const base::FpGuard guard;
  FloatSum sum(dtype_of<T>, kernels);
  sum.add(bytes(data), data.size());
  return sum.take_mean(data.size());
}

template <class T>
bool agrees(const std::vector<T>& data) {
  const double expected = reference::mean(data.data(), data.size());
  bool all = true;
  for (const KernelSet& kernels : runnable_kernels()) all = all && same(sum_up(kernels, data), expected);
  return all;
}

double exact(const std::vector<double>& data) {
  ExactSum sum;
  for (const double value : data) sum.add(value);
  return sum.mean(data.size());
}

double quotient_of_double(double value, std::uint64_t divisor) {
  ExactSum sum;
  sum.add(value);
  return sum.mean(divisor);
}

}  // namespace

TEST_CASE("ExactSum is exact over the whole range of doubles") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto data = ranging(-1074, 1023, 100 + seed, seed);
    CHECK(same(exact(data), reference::mean(data.data(), data.size())));
  }
  const double least = 0x1p-1074;
  CHECK(same(exact({DBL_MAX, least, -DBL_MAX}), 0.0));  // a third of the least
  CHECK(same(exact({DBL_MAX, least, -DBL_MAX, least, least, 0}), least / 2 + 0.0));
  CHECK(same(exact({1e308, 1e308, 1e308, 1e308}), 1e308));
  CHECK(same(exact({-DBL_MAX, -DBL_MAX}), -DBL_MAX));
  CHECK(same(exact({1, 0x1p-60, -1}), 0x1p-60 / 3));
}

TEST_CASE("ExactSum: the sign of zero") {
  CHECK(same(exact({-0.0}), 0.0));
  CHECK(same(exact({5, -5}), 0.0));
  CHECK(same(exact({-0x1p-1074, 0, 0}), -0.0));
}

TEST_CASE("ExactSum: infinities and NaN, as IEEE 754 adds them") {
  CHECK(same(exact({1, INFINITY, DBL_MAX}), INFINITY));
  CHECK(same(exact({-INFINITY, -INFINITY}), -INFINITY));
  CHECK(same(exact({INFINITY, -INFINITY}), canonical_nan()));
  CHECK(same(exact({-std::nan("7"), 1}), canonical_nan()));
}

TEST_CASE("ExactSum adds to ExactSum, doubles and integers alike") {
  const auto data = ranging(-300, 300, 999, 5);
  ExactSum parts[3];
  for (std::size_t i = 0; i < data.size(); ++i) parts[i % 3].add(data[i]);
  ExactSum whole;
  for (const ExactSum& part : parts) whole.add(part);
  CHECK(same(whole.mean(999), reference::mean(data.data(), data.size())));

  ExactSum integers;
  integers.add(static_cast<Int128>(-7));
  integers.add(static_cast<Int128>(1) << 100);
  integers.add(-0x1p100);
  CHECK(same(integers.mean(2), -3.5));

  ExactSum infinite, minus_infinite;
  infinite.add(INFINITY);
  minus_infinite.add(-INFINITY);
  infinite.add(minus_infinite);
  CHECK(infinite.is_nan());
}

TEST_CASE("a carry goes through every digit") {
  ExactSum sum;
  sum.add(std::ldexp(1.0, 1000));
  sum.add(-0x1p-1074);
  sum.add(0x1p-1074);
  CHECK(same(sum.mean(1), std::ldexp(1.0, 1000)));
  sum.add(-std::ldexp(1.0, 1000));
  CHECK(same(sum.mean(1), 0.0));
}

TEST_CASE("quotient rounds once") {
  CHECK(same(quotient(false, 1, false, 0, 3), 1.0 / 3));
  CHECK(same(quotient(true, 10, false, 0, 4), -2.5));
  CHECK(same(quotient(false, (Uint128{1} << 53) + 1, false, 0, 1), 0x1p53));      // a tie, to even
  CHECK(same(quotient(false, (Uint128{1} << 54) + 6, false, 0, 2), 0x1p53 + 4));  // a tie, to even, upwards
  CHECK(same(quotient(false, (Uint128{1} << 127) + (Uint128{1} << 74), true, 0, 1), 0x1p127 + 0x1p75));
  CHECK(same(quotient(false, 1, false, -1075, 1), 0.0));  // half of the least: to even
  CHECK(same(quotient(false, 3, false, -1075, 1), 0x1p-1073));
  CHECK(same(quotient(false, 1, false, -1400, 1), 0.0));
  CHECK(same(quotient(false, 5, false, -1076, 2), 0x1p-1074));
  CHECK(same(quotient(false, ~Uint128{0}, false, 0, ~std::uint64_t{0}), 0x1p64 + 0.0));
}

TEST_CASE("the short division gives what the long one gives, or says that it does not know") {
  SplitMix64 random(3);
  unsigned uncertain = 0;
  for (int i = 0; i < 20000; ++i) {
    const int exponent = static_cast<int>(random() % 60) - 30;
    const double high = of_magnitude(random, exponent);
    const double low = of_magnitude(random, exponent - static_cast<int>(random() % 130));
    const std::uint64_t divisor = random() >> (11 + random() % 52) | 1;
    const Division division = divide(high, low, divisor);
    ExactSum sum;
    sum.add(high);
    sum.add(low);
    if (division.certain)
      CHECK(same(division.value, sum.mean(divisor)));
    else
      ++uncertain;
  }
  CHECK(uncertain < 10);
  CHECK(divide(0.0, -0.0, 3).certain);
  CHECK(same(divide(-0.0, 0.0, 3).value, 0.0));
  CHECK(same(divide(3, 0, 4).value, 0.75));
  for (const double size : {1e-300, 1e305})
    CHECK(
        (!divide(size, size * 0x1p-60, 3).certain || same(divide(size, size * 0x1p-60, 3).value, size / 3)));
}

TEST_CASE("halfway cases of the short division") {
  // (2^53 + 1) / 2^k is a tie; one more bit, however small, decides it.
  for (const double bit : {0.0, 0x1p-40, -0x1p-40}) {
    for (const std::uint64_t divisor : {1U, 2U, 64U}) {
      const Division division = divide(0x1p53, 1 + bit, divisor);
      const double expected = (bit > 0 ? 0x1p53 + 2 : 0x1p53) / static_cast<double>(divisor);
      CHECK(division.certain);
      CHECK(same(division.value, expected));
    }
    // A tie with a divisor that is no power of two: 3 * (2^53 + 1) / 3.
    ExactSum sum;
    for (const double value : {3 * 0x1p53, 3.0, bit}) sum.add(value);
    const Division division = divide(3 * 0x1p53, 3 + bit, 3);
    CHECK(same(sum.mean(3), bit > 0 ? 0x1p53 + 2 : 0x1p53));
    CHECK((!division.certain || same(division.value, sum.mean(3))));
  }
  CHECK(same(quotient_of_double(0x1.8p-1073, 2), 0x1p-1073));  // 1.5 of the least: a tie, to even
}

TEST_CASE("doubles of every range of exponents") {
  for (const int range : {0, 1, 10, 20, 26, 30, 45, 60, 90, 130, 170, 300, 900})
    for (const std::size_t count : {1U, 5U, 31U, 33U, 100U, 2048U, 2049U, 20000U}) {
      CAPTURE(range);
      CAPTURE(count);
      CHECK(agrees(ranging(-range / 2, range / 2, count, static_cast<std::uint64_t>(range) + count)));
      CHECK(agrees(ranging(-1074, -1074 + range, count, count)));
    }
}

TEST_CASE("floats and bfloat16 of every range of exponents") {
  for (const int range : {0, 8, 20, 35, 50, 100, 200})
    for (const std::size_t count : {3U, 64U, 2047U, 30000U}) {
      std::vector<float> floats;
      std::vector<bfloat16> brains;
      for (const double value : ranging(-range / 2, range / 2, count, 11)) {
        floats.push_back(static_cast<float>(value));
        brains.emplace_back(floats.back());
      }
      CAPTURE(range);
      CAPTURE(count);
      CHECK(agrees(floats));
      CHECK(agrees(brains));
    }
}

TEST_CASE("data that change their range on the way") {
  std::vector<double> data;
  for (std::uint64_t part = 0; part < 30; ++part) {
    SplitMix64 random(part);
    const int range = static_cast<int>(random() % 3 * random() % 200);
    const auto more = ranging(-range, range / 2, random() % 9000, part);
    data.insert(data.end(), more.begin(), more.end());
    data.insert(data.end(), random() % 20000, 3.25);  // and become easy again
  }
  CHECK(agrees(data));
}

TEST_CASE("one sum after another: nothing of a batch stays behind") {
  const base::FpGuard guard;
  for (const KernelSet& kernels : runnable_kernels()) {
    FloatSum sum(DType::f64, kernels);
    bool right = true;
    for (std::uint64_t batch = 0; batch < 300; ++batch) {
      auto data = ranging(-static_cast<int>(batch * 7 % 200), 0, 1 + batch * 37 % 500, batch);
      if (batch % 29 == 0) data[0] = INFINITY;
      if (batch % 31 == 0) data[0] = std::nan("");
      sum.add(bytes(data), data.size() / 2);
      sum.add(bytes(data) + data.size() / 2 * 8, data.size() - data.size() / 2);
      const double mean = batch % 2 == 0 ? sum.take_mean(data.size()) : sum.take_sum().mean(data.size());
      right = right && same(mean, reference::mean(data.data(), data.size()));
    }
    CHECK(right);
  }
}

TEST_CASE("overflow on the way is no overflow of the mean") {
  for (const std::size_t count : {2U, 40U, 3000U}) {
    CHECK(agrees(std::vector<double>(count, DBL_MAX)));
    std::vector<double> alternating(count, -DBL_MAX);
    for (std::size_t i = 0; i < count; i += 3) alternating[i] = DBL_MAX / 3;
    alternating[1] = 1e-308;
    CHECK(agrees(alternating));
  }
}
