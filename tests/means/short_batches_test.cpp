// Goal: what ShortBatches tells has the bits that mean() gives, and it leaves to the caller only what it
// must. Method: every element type, every instruction set that this processor can run, lengths around those
// of vectors, groups that are no multiple of them; data that are told plainly, as halves, or not at all;
// special values one at a time. mean() goes by none of this code.
#include "means/short_batches.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <nodewise/means.hpp>

#include "base/fp_guard.hpp"
#include "kernels/dispatch.hpp"
#include "support/random_elements.hpp"

using namespace nodewise;
using test::same;

namespace {

constexpr std::uint64_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 100, 1023, 1024};

struct Count {
  unsigned told = 0;
  unsigned left = 0;
  unsigned wrong = 0;
};

Count compare(const KernelSet& kernels, DType dtype, std::uint64_t length, std::size_t batches,
              const std::byte* data) {
  std::vector<double> values(batches);
  bool all = true;
  {
    const base::FpGuard guard;
    ShortBatches short_batches(dtype, length, kernels);
    for (std::size_t first = 0; first < batches; first += short_batches.group()) {
      const std::size_t some = std::min(short_batches.group(), batches - first);
      const std::byte* from = data + first * length * dtype_bytes(dtype);
      all = short_batches.means(from, some, &values[first]) && all;
    }
  }
  Count count;
  for (std::size_t i = 0; i < batches; ++i) {
    const double expected = mean(data + i * length * dtype_bytes(dtype), dtype, length);
    if (std::isnan(values[i]))
      ++count.left;
    else
      ++(same(values[i], expected) ? count.told : count.wrong);
  }
  CHECK(all == (count.left == 0));
  return count;
}

template <class T>
Count compare(const KernelSet& kernels, std::uint64_t length, const std::vector<T>& data) {
  return compare(kernels, dtype_of<T>, length, data.size() / length,
                 reinterpret_cast<const std::byte*>(data.data()));
}

// Calls fn for all kernels, element types and lengths.
template <class Fn>
void for_each_kind(Fn fn) {
  for (const KernelSet& kernels : runnable_kernels())
    for (const DType dtype : all_dtypes)
      for (const std::uint64_t length : lengths) {
        CAPTURE(kernels.instruction_set);
        CAPTURE(dtype_name(dtype));
        CAPTURE(length);
        fn(kernels, dtype, length);
      }
}

}  // namespace

TEST_CASE("mild data of every type and length are told, all of them") {
  for_each_kind([](const KernelSet& kernels, DType dtype, std::uint64_t length) {
    const std::size_t batches = 70000 / length / 7 + 5;
    const bool any = test::exponent_bits(dtype) == 0;  // integers have nothing but mild values
    auto data = test::elements(dtype, batches * length, any ? test::any_bits : test::mild_bits, length);
    if (any && dtype_bytes(dtype) == 8)  // whose sums a double can hold
      for (std::size_t i = 0; i < data.size(); ++i)
        if (i % 8 >= 5) data[i] = {};
    const Count count = compare(kernels, dtype, length, batches, data.data());
    CHECK(count.wrong == 0);
    CHECK(count.left == 0);
  });
}

TEST_CASE("whatever the bits are, nothing wrong is told") {
  for_each_kind([](const KernelSet& kernels, DType dtype, std::uint64_t length) {
    const std::size_t batches = 20000 / length + 3;
    const auto data = test::elements(dtype, batches * length, test::any_bits, length + 1);
    CHECK(compare(kernels, dtype, length, batches, data.data()).wrong == 0);
  });
}

TEST_CASE("doubles whose sums round are told as two halves") {
  test::SplitMix64 random(5);
  for (const std::uint64_t length : lengths) {
    CAPTURE(length);
    std::vector<double> data(length * 300);
    for (double& value : data) value = static_cast<double>(random() >> 11) * 0x1p-53 + 1;
    for (const KernelSet& kernels : runnable_kernels()) {
      const Count count = compare(kernels, length, data);
      CHECK(count.wrong == 0);
      CHECK(count.told > 250);  // a tie of two halves is left to the caller
    }
  }
}

TEST_CASE("one batch with something special is left to the caller, or told rightly") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double greatest = std::numeric_limits<double>::max();
  constexpr double least = std::numeric_limits<double>::denorm_min();
  constexpr std::uint64_t length = 16;
  for (const double special :
       {inf, -inf, std::nan(""), greatest, -greatest, least, -least, 0x1p-1022, -0.0}) {
    CAPTURE(special);
    for (const KernelSet& kernels : runnable_kernels()) {
      std::vector<double> data(length * 24, 0.5);
      for (std::uint64_t i = 0; i < 3; ++i) data[5 * length + i] = special;
      const Count count = compare(kernels, length, data);
      CHECK(count.wrong == 0);
      std::fill_n(&data[5 * length], length, special);
      CHECK(compare(kernels, length, data).wrong == 0);
    }
  }
}

TEST_CASE("an f16 that is an infinity or NaN is not taken for a number") {
  constexpr std::uint16_t specials[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0x7bff, 0xfbff};
  for (const std::uint16_t bits : specials) {
    CAPTURE(bits);
    const bool number = (bits & 0x7c00) != 0x7c00;
    for (const std::uint64_t length : {3U, 16U, 19U})
      for (std::uint64_t place = 0; place < length; ++place)
        for (const KernelSet& kernels : runnable_kernels()) {
          std::vector<float16> data(length * 11, float16(0.25F));
          data[6 * length + place] = float16::from_bits(bits);
          const Count count = compare(kernels, length, data);
          CHECK(count.wrong == 0);
          CHECK((count.left == 0) == number);
        }
  }
}

TEST_CASE("what could not be told is tried again later") {
  std::vector<double> data(std::size_t{16} * 16384, 1.0);
  std::fill_n(data.begin(), 16 * 512, 0x1p-1000);  // of which no sum is exact
  for (std::size_t i = 0; i < 512; ++i) data[i * 16] = 1;
  for (const KernelSet& kernels : runnable_kernels()) {
    const Count count = compare(kernels, 16, data);
    CHECK(count.wrong == 0);
    CHECK(count.left >= 512);
    CHECK(count.told > 1000);
  }
}
