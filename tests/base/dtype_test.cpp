// Goal: the element types are named, sized and listed right, and the half-width floats convert as IEEE 754
// says. Method: every one of the 65536 values of each, against a conversion written from the definition;
// roundings to them at every value, at every middle between two neighbours, and just beside each middle.
#include <nodewise/dtype.hpp>

#include <doctest/doctest.h>

#include <cfenv>
#include <cmath>
#include <limits>
#include <regex>
#include <string>

#include "base/convert_element.hpp"
#include "support/exact_reference.hpp"
#include "support/files.hpp"

using namespace nodewise;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// Whether Half converts right: `fraction_bits` and `bias` define it.
template <class Half>
struct Check {
  int fraction_bits;
  int bias;
  std::uint16_t infinite;  // the bits of infinity

  double value(std::uint32_t bits) const {
    return reference::small_float(static_cast<std::uint16_t>(bits), fraction_bits, bias);
  }

  // Every value widens to itself, and comes back.
  bool widens() const {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      const auto half = Half::from_bits(static_cast<std::uint16_t>(bits));
      const auto wide = static_cast<float>(half);
      if ((bits & 0x7fff) > infinite) {
        if (!std::isnan(wide) || !std::isnan(static_cast<float>(Half(wide)))) return false;
        continue;
      }
      if (static_cast<double>(wide) != value(bits) || std::signbit(wide) != (bits >> 15 != 0)) return false;
      if (Half(wide) != half) return false;
    }
    return true;
  }

  // What lies between two neighbours goes to the nearer one, the middle to the even one. Infinity stands
  // where the next value would be.
  bool narrows() const {
    for (std::uint32_t low = 0; low < infinite; ++low) {
      const double below = value(low);
      const double above = low + 1 == infinite ? below + (below - value(low - 1)) : value(low + 1);
      const auto middle = static_cast<float>((below + above) / 2);  // exact
      if (!rounds(middle, low % 2 == 0 ? low : low + 1)) return false;
      if (!rounds(std::nextafter(middle, 0.0F), low)) return false;
      if (!rounds(std::nextafter(middle, infinity), low + 1)) return false;
    }
    return true;
  }

  bool rounds(float wide, std::uint32_t bits) const {
    return Half(wide).bits == bits && Half(-wide).bits == (bits | 0x8000);
  }
};

const Check<float16> f16{10, 15, 0x7c00};
const Check<bfloat16> bf16{7, 127, 0x7f80};

}  // namespace

TEST_CASE("names and sizes") {
  for (const DType dtype : all_dtypes) {
    const std::string name(dtype_name(dtype));
    CHECK(parse_dtype(name) == dtype);
    CHECK(dtype_bytes(dtype) * 8 == std::stoul(name.substr(name.find_first_of("1368"))));
  }
  CHECK(dtype_name(DType::f64) == "f64");
  CHECK(dtype_name(DType::bf16) == "bf16");
  CHECK(dtype_name(DType::u8) == "u8");
  CHECK(parse_dtype("float64") == DType::f64);
  CHECK(parse_dtype("bfloat16") == DType::bf16);
  CHECK(parse_dtype("uint16") == DType::u16);
  for (const char* name : {"", "f", "f80", "F64", "float", "int128", "i6", " f64", "f64 "})
    CHECK_FALSE(parse_dtype(name));
}

TEST_CASE("README.md names every element type, and the error for other types lists them") {
  const std::string page = test::text_of(NODEWISE_DOCS "/../README.md");
  std::string header = test::text_of(NODEWISE_DOCS "/../include/nodewise/dtype.hpp");
  std::erase(header, '"');
  header = std::regex_replace(header, std::regex(R"(\s+)"), " ");
  for (const DType dtype : all_dtypes) {
    const std::string name(dtype_name(dtype)), type = base::element_type_name(dtype);
    CAPTURE(name);
    CHECK(header.find(' ' + name + ' ' + type) != std::string::npos);
    const bool integer = type.starts_with("std::");
    CHECK((integer || page.find('`' + type.substr(type.rfind(':') + 1) + '`') != std::string::npos));
  }
}

TEST_CASE("types know their DType") {
  static_assert(dtype_of<const double> == DType::f64 && dtype_of<float16> == DType::f16);
  static_assert(dtype_of<std::int8_t> == DType::i8 && dtype_of<std::uint64_t> == DType::u64);
  static_assert(dtype_of<long> == dtype_of<long long> && dtype_of<long long> == DType::i64);
  static_assert(dtype_of<unsigned long> == DType::u64 && dtype_of<const unsigned long long> == DType::u64);
  static_assert(dtype_of<int> == DType::i32 && dtype_of<unsigned short> == DType::u16);
  static_assert(dtype_of<signed char> == DType::i8 && dtype_of<unsigned char> == DType::u8);
  static_assert(!Element<long double> && !Element<bool> && Element<const bfloat16>);
  static_assert(!Element<char> && !Element<wchar_t> && !Element<char8_t> && !Element<std::byte>);
  enum Colour : std::uint8_t {};
  static_assert(!Element<Colour> && !Element<float*> && !Element<volatile float>);
  static_assert(sizeof(float16) == 2 && sizeof(bfloat16) == 2);
}

TEST_CASE("binary16: all values, all middles") {
  CHECK(f16.widens());
  CHECK(f16.narrows());
}

TEST_CASE("bfloat16: all values, all middles") {
  CHECK(bf16.widens());
  CHECK(bf16.narrows());
}

TEST_CASE("half-width floats are used as floats") {
  const float16 half(1.5F);
  const bfloat16 brain(-2.0F);
  const float sum = half + brain;
  CHECK(sum == -0.5F);
  CHECK(brain < half);
  static_assert(!std::is_convertible_v<float, float16> && !std::is_convertible_v<float, bfloat16>);
}

TEST_CASE("half-width floats at their ends") {
  CHECK(float16(65504.0F).bits == 0x7bff);
  CHECK(float16(65519.996F).bits == 0x7bff);
  CHECK(float16(65520.0F).bits == 0x7c00);
  CHECK(float16(1e30F).bits == 0x7c00);
  CHECK(float16(-infinity).bits == 0xfc00);
  CHECK(float16(0x1p-24F).bits == 1);
  CHECK(float16(0x1p-25F).bits == 0);
  CHECK(float16(0x1.000002p-25F).bits == 1);
  CHECK(float16(-0x1p-149F).bits == 0x8000);
  CHECK(bfloat16(std::numeric_limits<float>::max()).bits == 0x7f80);
  CHECK(bfloat16(0x1p-133F).bits == 1);
  CHECK(bfloat16(0x1p-134F).bits == 0);
  CHECK(bfloat16(-infinity).bits == 0xff80);
}

TEST_CASE("NaN stays NaN, whatever its payload") {
  for (std::uint32_t payload = 1; payload < 0x800000; payload = payload * 3 + 1)
    for (const std::uint32_t sign : {0U, 0x80000000U}) {
      const auto nan = std::bit_cast<float>(sign | 0x7f800000U | payload);
      CHECK((float16(nan).bits & 0x7fff) > 0x7c00);
      CHECK((bfloat16(nan).bits & 0x7fff) > 0x7f80);
    }
}

TEST_CASE("the caller's rounding mode has no say") {
  const int before = std::fegetround();
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const auto half = float16(1.0005F).bits;
    const auto brain = bfloat16(1.005F).bits;
    const auto subnormal = static_cast<float>(float16::from_bits(0x0003));
    std::fesetround(before);
    CHECK(half == 0x3c01);
    CHECK(brain == 0x3f81);
    CHECK(subnormal == 0x1.8p-23F);
  }
}
