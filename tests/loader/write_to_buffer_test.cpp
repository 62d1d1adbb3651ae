// Goal: write_to_buffer writes the number that it is given, whatever its type, or refuses it by name and
// writes nothing. Method: numbers of every element type into every element type, against long double, which
// holds all of them: a number may be written where it survives the way there and back.
#include <nodewise/loader.hpp>

#include <doctest/doctest.h>

#include <cfenv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <nodewise/error.hpp>

#include "support/machines.hpp"
#include "support/with_type.hpp"

using namespace nodewise;
using test::World;

namespace {

static_assert(std::numeric_limits<long double>::digits >= 64);

template <class T>
constexpr bool is_half = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

template <class T>
long double wide(T value) {
  if constexpr (is_half<T>)
    return static_cast<float>(value);
  else
    return static_cast<long double>(value);
}

// The nearest T, in two steps for half-width floats: right wherever `value` is a number of T.
template <class T>
T narrow(long double value) {
  if constexpr (is_half<T>)
    return T(static_cast<float>(value));
  else
    return static_cast<T>(value);
}

bool same(long double a, long double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

template <class T>
bool holds(long double value) {
  if constexpr (std::is_integral_v<T>) {
    constexpr auto least = static_cast<long double>(std::numeric_limits<T>::min());
    constexpr auto most = static_cast<long double>(std::numeric_limits<T>::max());
    if (!(value >= least && value <= most)) return false;
  }
  return same(wide(narrow<T>(value)), value);
}

// Those of a list that T holds, and its own ends.
template <class T>
std::vector<T> numbers() {
  std::vector<T> found;
  const auto add = [&](long double value) {
    if (holds<T>(value)) found.push_back(narrow<T>(value));
  };
  add(0.0L);
  add(-0.0L);
  add(std::numeric_limits<long double>::quiet_NaN());
  add(std::numeric_limits<long double>::infinity());
  add(-std::numeric_limits<long double>::infinity());
  for (const long double sign : {1.0L, -1.0L}) {
    for (const long double value : {0.5L, 1.0L, 1.5L, 100.0L, 0.1L, 65504.0L, 1e30L, 1e300L})
      add(sign * value);
    // Around the ends of integers and of fractions, and the least numbers of floats.
    for (const int power :
         {7, 8, 11, 15, 16, 24, 31, 32, 53, 63, 64, 128, -14, -24, -25, -126, -133, -149, -1022, -1074})
      for (const long double beside : {-1.0L, -0.5L, 0.0L, 1.0L}) {
        add(sign * (std::ldexp(1.0L, power) + beside));
        add(sign * std::ldexp(1.0L, power) * (1 + beside / 1024));
      }
  }
  found.push_back(narrow<T>(static_cast<long double>(0.1F)));
  found.push_back(narrow<T>(static_cast<long double>(0.1)));
  return found;
}

template <class T>
BatchLoader loader_over(std::vector<T>& memory) {
  return BatchLoader::adopt(memory.data(), {{memory.size(), 1}, dtype_of<T>, 1});
}

// Writes every number of From into elements of To; how many of those writes did the wrong thing.
template <class From, class To>
int wrong_writes() {
  const To before = narrow<To>(42);
  std::vector<To> memory(1, before);
  auto loader = loader_over(memory);
  int wrong = 0;
  for (const From value : numbers<From>()) {
    memory[0] = before;
    bool written = true;
    try {
      loader.write_to_buffer(0, 0, value);
    } catch (const InvalidArgument&) {
      written = false;
    }
    const bool expected = holds<To>(wide(value));
    const bool right = written == expected && same(wide(memory[0]), written ? wide(value) : 42.0L);
    if (!right) {
      ++wrong;
      MESSAGE(dtype_name(dtype_of<From>)
              << " " << static_cast<double>(wide(value)) << " into " << dtype_name(dtype_of<To>)
              << ": written " << written << ", now " << static_cast<double>(wide(memory[0])));
    }
  }
  return wrong;
}

std::string refusal(DType dtype, auto value) {
  BatchLoader loader({{1, 1}, dtype, 1});
  try {
    loader.write_to_buffer(0, 0, value);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("every number is written into every element type that has it", From, writes) {
  World world(test::even_machine(1));
  REQUIRE(numbers<From>().size() > 10);
  for (const DType to : all_dtypes)
    test::with_type(to, [&](auto element) { CHECK(wrong_writes<From, decltype(element)>() == 0); });
}

TEST_CASE_TEMPLATE_APPLY(writes, test::ElementTypes);

TEST_CASE("what a user types is written") {
  BatchLoader floats({{2, 2}, DType::f32, 1});
  floats.write_to_buffer(0, 0, 1);
  floats.write_to_buffer(0, 1, 0.5);
  floats.write_to_buffer(1, 0, 16777216ULL);
  floats.write_to_buffer(1, 1, std::numeric_limits<double>::infinity());
  CHECK(floats.get_batch(0).as<float>()(0, 0) == 1.0F);
  CHECK(floats.get_batch(0).as<float>()(0, 1) == 0.5F);
  CHECK(floats.get_batch(1).as<float>()(0, 0) == 16777216.0F);
  CHECK(std::isinf(floats.get_batch(1).as<float>()(0, 1)));
  ZeroCopyBatchLoader<float16> halves(1, 2, 1);
  halves.write_to_buffer(0, 0, 3);
  halves.write_to_buffer(0, 1, -0.25F);
  CHECK(halves.get_batch(0)(0, 0) == float16(3.0F));
  CHECK(halves.get_batch(0)(0, 1) == float16(-0.25F));
}

TEST_CASE("a refusal names the value, the element type, the nearest number and the remedy") {
  World world(test::even_machine(1));
  CHECK(
      refusal(DType::f32, 0.1) ==
      "BatchLoader::write_to_buffer: 0.1 is no f32 number; the nearest is 0.10000000149011612: convert it to "
      "float first where that is meant");
  CHECK(refusal(DType::u8, 300) ==
        "BatchLoader::write_to_buffer: 300 is no u8 number; the nearest is 255: convert it to std::uint8_t "
        "first "
        "where that is meant");
  CHECK(refusal(DType::u64, -1).find("-1 is no u64 number; the nearest is 0:") != std::string::npos);
  CHECK(refusal(DType::f64, (std::int64_t{1} << 53) + 1)
            .find("9007199254740993 is no f64 number; the nearest is 9007199254740992:") !=
        std::string::npos);
  CHECK(refusal(DType::i32, 2.5).find("2.5 is no i32 number; the nearest is 2:") != std::string::npos);
  CHECK(refusal(DType::i16, -0.0).find("-0 is no i16 number; the nearest is 0:") != std::string::npos);
  CHECK(refusal(DType::f16, 65519.0).find("65519 is no f16 number; the nearest is 65504:") !=
        std::string::npos);
  // Just above the middle of 1 and its neighbour: rounded twice, by way of float, it would be 1.
  CHECK(refusal(DType::f16, 1 + 0x1p-11 + 0x1p-40).find("the nearest is 1.0009765625:") != std::string::npos);
  CHECK(refusal(DType::bf16, 1e39).find("1e+39 is no bf16 number; the nearest is inf:") != std::string::npos);
  CHECK(refusal(DType::u32, std::nan("")) ==
        "BatchLoader::write_to_buffer: nan is no u32 number, and none is near it");
}

TEST_CASE("the caller's rounding mode has no say") {
  World world(test::even_machine(1));
  const int before = std::fegetround();
  std::fesetround(FE_UPWARD);
  const auto upward = refusal(DType::f32, 0.1);
  std::fesetround(before);
  CHECK(upward == refusal(DType::f32, 0.1));
}

TEST_CASE("a place outside is refused whatever the type, and so is memory for reading") {
  BatchLoader loader({{2, 2}, DType::f32, 1});
  CHECK_THROWS_AS(loader.write_to_buffer(2, 0, 1), OutOfRange);
  CHECK_THROWS_AS(loader.write_to_buffer(0, 2, 1), OutOfRange);
}
