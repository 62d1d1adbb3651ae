// Goal: the mean is the exact sum divided by the count and rounded once, whatever the data, the instruction
// set, and the caller's floating-point environment, which is given back. Method: golden values that exact
// rational arithmetic gave; the slow reference on hostile data; and round_to_4 against decimal conversion.
// Python holds both to its own arithmetic in means_python_test.py.
#include <nodewise/means.hpp>

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cfenv>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string>

#include "kernels/dispatch.hpp"
#include "means/mean_with.hpp"
#include "support/exact_reference.hpp"
#include "support/random_elements.hpp"

using namespace nodewise;
using test::same;
using test::SplitMix64;

namespace {

const double nan_expected = std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});

// Whether every instruction set gives `expected`, from aligned elements and from odd addresses.
bool all_give(double expected, const void* data, DType dtype, std::uint64_t count) {
  const std::size_t bytes = count * dtype_bytes(dtype);
  std::vector<std::byte> shifted(bytes + 1);
  if (bytes > 0) std::memcpy(shifted.data() + 1, data, bytes);
  bool all = same(mean(data, dtype, count), expected);
  for (const KernelSet& kernels : runnable_kernels())
    all = all && same(mean_with(kernels, data, dtype, count), expected) &&
          same(mean_with(kernels, shifted.data() + 1, dtype, count), expected);
  return all;
}

template <class T>
bool right(const std::vector<T>& data) {
  return all_give(reference::mean(data.data(), data.size()), data.data(), dtype_of<T>, data.size());
}

template <class T>
double mean_of(const std::vector<T>& data) {
  return mean(data.data(), dtype_of<T>, data.size());
}

struct Golden {
  DType dtype;
  std::uint64_t (*kind)(DType, std::uint64_t);
  std::uint64_t count;
  double mean;
};

std::vector<Golden> goldens() {
  std::vector<Golden> result;
  std::ifstream file(NODEWISE_TEST_DATA "/means/golden.txt");
  std::string dtype, kind, bits;
  for (std::uint64_t count = 0; file >> dtype >> kind >> count >> bits;)
    result.push_back({*parse_dtype(dtype), kind == "any" ? test::any_bits : test::mild_bits, count,
                      std::bit_cast<double>(static_cast<std::uint64_t>(std::stoull(bits, nullptr, 16)))});
  return result;
}

// Ogita, Rump and Oishi's way to ill-conditioned sums: large terms first, then terms that cancel what there
// is.
std::vector<double> ill_conditioned(std::size_t count, int condition_bits, std::uint64_t seed) {
  SplitMix64 random(seed);
  const auto symmetric = [&] { return static_cast<double>(static_cast<std::int64_t>(random())) * 0x1p-63; };
  const std::size_t middle = count / 2;
  const auto half = static_cast<double>(middle);
  std::vector<double> data;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool first_half = i < count / 2;
    const double share = static_cast<double>(first_half ? i : count - 1 - i) / half;
    const double term = std::ldexp(symmetric(), static_cast<int>(share * condition_bits / 2));
    data.push_back(first_half ? term : term - sum);
    sum += data.back();
  }
  return data;
}

// `count` copies of `value` in little memory: the same pages, mapped again and again.
template <class T>
class Repeated {
 public:
  Repeated(T value, std::size_t count) : bytes_(count * sizeof(T)) {
    const int file = memfd_create("repeated", 0);
    REQUIRE(ftruncate(file, tile_bytes) == 0);
    const std::vector<T> tile(tile_bytes / sizeof(T), value);
    REQUIRE(write(file, tile.data(), tile_bytes) == tile_bytes);
    data_ = mmap(nullptr, bytes_ + tile_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(data_ != MAP_FAILED);
    for (std::size_t at = 0; at < bytes_; at += tile_bytes)
      REQUIRE(mmap(static_cast<char*>(data_) + at, tile_bytes, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) !=
              MAP_FAILED);
    close(file);
  }
  ~Repeated() { munmap(data_, bytes_ + tile_bytes); }
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;
  const void* data() const { return data_; }

 private:
  static constexpr std::size_t tile_bytes = 1 << 20;
  std::size_t bytes_;
  void* data_ = nullptr;
};

#ifdef __x86_64__
constexpr unsigned flush_to_zero = 0x8040;  // and denormals are zero
unsigned control() {
  return __builtin_ia32_stmxcsr();
}
void set_control(unsigned control) {
  __builtin_ia32_ldmxcsr(control);
}
#else
constexpr unsigned flush_to_zero = 0;
unsigned control() {
  return 0;
}
void set_control(unsigned) {}
#endif

// Calls fn under each rounding mode, with and without flush-to-zero, and requires that it leaves all as it
// was.
template <class Fn>
void under_every_environment(Fn fn) {
  std::fenv_t ours;
  std::fegetenv(&ours);
  for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO})
    for (const unsigned flush : {0U, flush_to_zero}) {
      std::fesetround(mode);
      std::feclearexcept(FE_ALL_EXCEPT);
      std::feraiseexcept(FE_DIVBYZERO);
      set_control(control() | flush);
      const unsigned before = control();
      fn();
      const unsigned after = control();
      const int mode_after = std::fegetround();
      const int flags_after = std::fetestexcept(FE_ALL_EXCEPT);
      std::fesetenv(&ours);
      CHECK(after == before);
      CHECK(mode_after == mode);
      CHECK(flags_after == FE_DIVBYZERO);
    }
}

}  // namespace

TEST_CASE("the order has a name, and an empty range no mean") {
  CHECK(sum_order() == "exact-1");
  for (const DType dtype : all_dtypes) CHECK(all_give(nan_expected, nullptr, dtype, 0));
}

TEST_CASE("golden values, for every instruction set and from every address") {
  const auto all = goldens();
  CHECK(all.size() == 240);
  for (const DType dtype : all_dtypes) {
    CAPTURE(dtype_name(dtype));
    CHECK(std::ranges::count(all, dtype, &Golden::dtype) > 0);
  }
  for (const Golden& golden : all) {
    const auto data = test::elements(golden.dtype, golden.count, golden.kind, golden.count);
    CAPTURE(dtype_name(golden.dtype));
    CAPTURE(golden.count);
    CHECK(all_give(golden.mean, data.data(), golden.dtype, golden.count));
  }
}

TEST_CASE("the caller's rounding mode, flush-to-zero and flags have no say, and come back") {
  for (const Golden& golden : goldens()) {
    if (golden.count > 4097) continue;
    const auto data = test::elements(golden.dtype, golden.count, golden.kind, golden.count);
    double got[8] = {};
    double* next = got;
    under_every_environment([&] { *next++ = mean(data.data(), golden.dtype, golden.count); });
    for (const double mean : got) CHECK(same(mean, golden.mean));
  }
}

TEST_CASE("subnormals, under flush-to-zero too") {
  SplitMix64 random(9);
  std::vector<double> doubles(777);
  std::vector<float> floats(777);
  std::vector<float16> halves(777);
  for (std::size_t i = 0; i < 777; ++i) {
    doubles[i] = std::bit_cast<double>(random() >> 12);
    floats[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random() >> 41));
    halves[i] = float16::from_bits(static_cast<std::uint16_t>(random() >> 54));
  }
  CHECK(right(doubles));
  CHECK(right(floats));
  CHECK(right(halves));
  const double expected[] = {mean_of(doubles), mean_of(floats), mean_of(halves)};
  CHECK(expected[0] > 0);
  std::vector<std::array<double, 3>> got;
  under_every_environment([&] { got.push_back({mean_of(doubles), mean_of(floats), mean_of(halves)}); });
  for (const auto& each : got)
    for (int i = 0; i < 3; ++i) CHECK(same(each[static_cast<std::size_t>(i)], expected[i]));
}

TEST_CASE("every f16 and every bf16, wherever it stands in a word") {
  const auto wrong = []<class T>(T, const KernelSet& kernels) {
    int count = 0;
    for (std::uint32_t bits = 0; bits <= 0xffff; ++bits)
      for (const std::size_t at : {32U, 33U, 34U, 35U}) {
        std::array<T, 64> data{};
        data[at] = T::from_bits(static_cast<std::uint16_t>(bits));
        const auto value = static_cast<double>(static_cast<float>(data[at]));
        const double expected = std::isnan(value) ? nan_expected : value == 0 ? 0 : value / 64;  // never -0
        if (!same(mean_with(kernels, data.data(), dtype_of<T>, data.size()), expected)) ++count;
      }
    return count;
  };
  for (const KernelSet& kernels : runnable_kernels()) {
    CAPTURE(kernels.instruction_set);
    CHECK(wrong(float16(), kernels) == 0);
    CHECK(wrong(bfloat16(), kernels) == 0);
  }
}

TEST_CASE("cancellation: up to a million terms, condition up to 1e12 and far beyond") {
  for (const int bits : {20, 40, 100, 600})
    for (const std::size_t count : {10U, 1000U, 100000U}) CHECK(right(ill_conditioned(count, bits, count)));
  CHECK(right(ill_conditioned(1000000, 40, 1)));
  std::vector<double> pairs;
  SplitMix64 random(4);
  for (int i = 0; i < 50000; ++i) {
    pairs.push_back(std::bit_cast<double>(test::any_bits(DType::f64, random())));
    pairs.push_back(-pairs.back());
  }
  CHECK(all_give(0.0, pairs.data(), DType::f64, pairs.size()));
  pairs.push_back(0x1p-1074);
  CHECK(all_give(0.0, pairs.data(), DType::f64, pairs.size()));
  pairs.insert(pairs.end(), 99999, 0x1p-1074);
  CHECK(all_give(0.0, pairs.data(), DType::f64, pairs.size()));  // half of the least: to even
  pairs.back() = 0x1p-1073;
  CHECK(all_give(0x1p-1074, pairs.data(), DType::f64, pairs.size()));
}

TEST_CASE("10^8 equal values have their own value as mean") {
  constexpr std::size_t many = 100000000;
  CHECK(same(mean(Repeated<double>(0.1, many).data(), DType::f64, many), 0.1));
  CHECK(same(mean(Repeated<float>(0.1F, many).data(), DType::f32, many), static_cast<double>(0.1F)));
  CHECK(same(mean(Repeated<float16>(float16(0.1F), many).data(), DType::f16, many),
             static_cast<double>(static_cast<float>(float16(0.1F)))));
  CHECK(same(mean(Repeated<std::int64_t>(INT64_MIN + 1, many).data(), DType::i64, many), -0x1p63));
  CHECK(same(mean(Repeated<std::uint8_t>(255, many).data(), DType::u8, many), 255.0));
}

TEST_CASE("infinities, NaN and the signs of zero, in every kind of float") {
  for (const DType dtype : all_dtypes)
    test::with_type(dtype, [](auto zero) {
      using T = decltype(zero);
      if constexpr (!std::is_integral_v<T>) {
        const auto narrow = [](double value) {
          if constexpr (std::is_same_v<T, double>)
            return value;
          else
            return T(static_cast<float>(value));
        };
        for (const std::size_t count : {1U, 2U, 40U, 5000U})
          for (const std::size_t at : {std::size_t{0}, count / 2, count - 1}) {
            std::vector<T> data(count, narrow(1));
            data[at] = narrow(INFINITY);
            CHECK(all_give(INFINITY, data.data(), dtype_of<T>, count));
            data[at] = narrow(-INFINITY);
            CHECK(all_give(-INFINITY, data.data(), dtype_of<T>, count));
            if (at != 0) {
              data[0] = narrow(INFINITY);
              CHECK(all_give(nan_expected, data.data(), dtype_of<T>, count));
              data[0] = narrow(-INFINITY);
              CHECK(all_give(-INFINITY, data.data(), dtype_of<T>, count));
            }
            data[at] = narrow(-std::nan("5"));
            CHECK(all_give(nan_expected, data.data(), dtype_of<T>, count));
            CHECK(all_give(0.0, std::vector<T>(count, narrow(-0.0)).data(), dtype_of<T>, count));
          }
      }
    });
}

TEST_CASE("a NaN is a NaN whatever its payload: quiet, signalling, in the lowest bits only") {
  for (const std::uint64_t bits :
       {0x7ff8000000000000U, 0x7ff0000000000001U, 0xfff4000000000000U, 0xffffffffffffffffU}) {
    std::vector<double> data(100, 0.1);
    data[70] = std::bit_cast<double>(bits);
    CHECK(all_give(nan_expected, data.data(), DType::f64, data.size()));
  }
  for (std::uint32_t bits = 0x7c01; bits <= 0x7fff; ++bits) {
    std::vector<float16> data(64, float16(1.0F));
    data[bits % 64] = float16::from_bits(static_cast<std::uint16_t>(bits | (bits % 2) << 15));
    CHECK(same(mean_of(data), nan_expected));
  }
}

TEST_CASE("finite values have a finite mean") {
  CHECK(right(std::vector<double>(1000, DBL_MAX)));
  CHECK(right(std::vector<float>(100000, FLT_MAX)));
  CHECK(right(std::vector<float16>(100000, float16::from_bits(0x7bff))));
  CHECK(right(std::vector<bfloat16>(100000, bfloat16::from_bits(0xff7f))));
}

TEST_CASE("mixed magnitudes: every bit pattern") {
  for (const DType dtype : all_dtypes)
    for (const std::uint64_t count : {7U, 100U, 3000U}) {
      const auto bytes = test::elements(dtype, count, test::any_bits, count + 1);
      test::with_type(dtype, [&](auto zero) {
        std::vector<decltype(zero)> data(count);
        std::memcpy(data.data(), bytes.data(), bytes.size());
        CHECK(right(data));
      });
    }
}

TEST_CASE("integers: the ends of their range, without overflow, rounded right") {
  for (const DType dtype : all_dtypes)
    test::with_type(dtype, [](auto zero) {
      using T = decltype(zero);
      if constexpr (std::is_integral_v<T>)
        for (const std::size_t count : {1U, 3U, 100U, 1000U, 70000U}) {
          std::vector<T> data(count, std::numeric_limits<T>::max());
          CHECK(right(data));
          data.assign(count, std::numeric_limits<T>::min());
          CHECK(right(data));
          for (std::size_t i = 0; i < count; i += 2) data[i] = std::numeric_limits<T>::max();
          CHECK(right(data));
        }
    });
  CHECK(right(std::vector<std::int64_t>{INT64_MAX, INT64_MAX, 1}));
  CHECK(right(std::vector<std::uint64_t>{(std::uint64_t{1} << 53) + 1}));
  CHECK(right(std::vector<std::uint64_t>{(std::uint64_t{1} << 53) + 1, 1}));
}

TEST_CASE("round_to_4: the exact binary value, half to even") {
  CHECK(round_to_4(0.12345) == 0.1235);  // the double is a little above
  CHECK(round_to_4(0.03125) == 0.0312);  // an exact tie
  CHECK(round_to_4(0.09375) == 0.0938);  // another
  CHECK(round_to_4(2.00005) == 2.0);
  CHECK(round_to_4(1.00005) == 1.0001);
  CHECK(same(round_to_4(-0.00001), -0.0));
  CHECK(same(round_to_4(-0.0), -0.0));
  CHECK(round_to_4(1e300) == 1e300);
  CHECK(round_to_4(-INFINITY) == -INFINITY);
  CHECK(std::isnan(round_to_4(NAN)));
  CHECK(round_to_4(0x1p-1074) == 0);
}

TEST_CASE("a NaN traps nothing, whatever the caller has enabled") {
  std::feclearexcept(FE_ALL_EXCEPT);
  feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
  const volatile double unknown = NAN;
  const double nan = unknown;
  const bool still_nan = std::isnan(round_to_4(nan));
  const double infinities[] = {INFINITY, -INFINITY};
  const bool no_mean = std::isnan(mean(infinities, DType::f64, 2));
  const bool unflagged = std::fetestexcept(FE_INVALID) == 0;
  fedisableexcept(FE_ALL_EXCEPT);
  CHECK(still_nan);
  CHECK(no_mean);
  CHECK(unflagged);
}

TEST_CASE("round_to_4 agrees with conversion to decimal and back") {
  SplitMix64 random(2);
  const auto by_decimal = [](double value) {
    char digits[400];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 4).ptr;
    double result = 0;
    std::from_chars(digits, end, result);
    return result;
  };
  unsigned wrong = 0;
  const auto check = [&](double value) { wrong += same(round_to_4(value), by_decimal(value)) ? 0 : 1; };
  for (int i = 0; i < 100000; ++i) {
    check(std::bit_cast<double>(test::any_bits(DType::f64, random())));
    const double scaled = std::ldexp(static_cast<double>(static_cast<std::int64_t>(random())),
                                     static_cast<int>(random() % 70) - 73);
    check(scaled);
    const double tie = (static_cast<double>(random() >> (12 + random() % 40)) + 0.5) / 10000;
    check(tie);
    check(std::nextafter(tie, 0));
    check(-std::nextafter(tie, INFINITY));
    check(static_cast<double>(random() >> (12 + random() % 50)) / 32);
  }
  for (int exponent = 30; exponent < 60; ++exponent)
    for (int i = -50; i < 50; ++i) check(0x1p0 * std::ldexp(1.0, exponent) * (1 + i * DBL_EPSILON));
  CHECK(wrong == 0);
  std::vector<double> got;
  under_every_environment([&] { got.push_back(round_to_4(-123.45675)); });
  for (const double value : got) CHECK(value == by_decimal(-123.45675));
}
