#include <nodewise/dtype.hpp>

#include <nodewise/expects.hpp>

#include <iterator>

namespace nodewise {
namespace {

struct Names {
  std::string_view ours;
  std::string_view numpy;
};

constexpr Names names[] = {{"f64", "float64"}, {"f32", "float32"}, {"f16", "float16"}, {"bf16", "bfloat16"},
                           {"i64", "int64"},   {"i32", "int32"},   {"i16", "int16"},   {"i8", "int8"},
                           {"u64", "uint64"},  {"u32", "uint32"},  {"u16", "uint16"},  {"u8", "uint8"}};
static_assert(std::size(names) == dtype_count, "each element type has two names");

// Whether `Each` are the C++ types of all element types, in the order of the enumeration.
template <class... Each>
constexpr bool are_all() {
  std::size_t number = 0;
  return sizeof...(Each) == dtype_count &&
         ((dtype_of<Each> == static_cast<DType>(number++) && sizeof(Each) == dtype_bytes(dtype_of<Each>)) &&
          ...);
}
static_assert(are_all<double, float, float16, bfloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
                      std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(),
              "each element type has a C++ type of its size");

// value / 2^shift, rounded half to even. Preconditions: 1 <= shift <= 24, and `value` is far from overflow.
constexpr std::uint32_t shift_rounded(std::uint32_t value, std::uint32_t shift) noexcept {
  NODEWISE_EXPECTS(1 <= shift && shift <= 24);
  const std::uint32_t odd = (value >> shift) & 1;
  return (value + (1U << (shift - 1)) - 1 + odd) >> shift;
}

constexpr std::uint32_t f32_infinity = 0x7f800000;
constexpr std::uint32_t f32_hidden_bit = 0x00800000;
// Magnitudes of binary32, as bits. From the first one on, a binary16 is infinite; below the second one it is
// subnormal.
constexpr std::uint32_t f16_overflow = 0x477ff000;
constexpr std::uint32_t f16_least_normal = 0x38800000;

constexpr std::uint32_t f16_magnitude(std::uint32_t f32) noexcept {
  if (f32 > f32_infinity) return 0x7e00 | (f32 >> 13 & 0x1ff);
  if (f32 >= f16_overflow) return 0x7c00;
  if (f32 >= f16_least_normal) return shift_rounded(f32 - (112U << 23), 13);
  const std::uint32_t exponent = f32 >> 23;
  if (exponent < 102) return 0;  // less than half of the least subnormal
  return shift_rounded((f32 & (f32_hidden_bit - 1)) | f32_hidden_bit, 126 - exponent);
}

}  // namespace

std::string_view to_string(DType dtype) noexcept {
  const auto number = static_cast<std::size_t>(dtype);
  return number < dtype_count ? names[number].ours : std::string_view();
}

std::optional<DType> parse_dtype(std::string_view name) noexcept {
  for (const DType dtype : all_dtypes) {
    const Names& known = names[static_cast<std::size_t>(dtype)];
    if (name == known.ours || name == known.numpy) return dtype;
  }
  return std::nullopt;
}

// Computes with integers, so the caller's rounding mode and flush-to-zero mode do not matter.

float16::float16(float value) noexcept {
  const auto f32 = std::bit_cast<std::uint32_t>(value);
  bits = static_cast<std::uint16_t>((f32 >> 16 & 0x8000) | f16_magnitude(f32 & 0x7fffffff));
}

float16::operator float() const noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1f;
  const std::uint32_t fraction = bits & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | f32_infinity | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  if (fraction == 0) return std::bit_cast<float>(sign);
  const auto shift =
      static_cast<std::uint32_t>(std::countl_zero(fraction)) - 21;  // moves it to the place of the hidden bit
  return std::bit_cast<float>(sign | (113 - shift) << 23 | (fraction << shift & 0x3ff) << 13);
}

bfloat16::bfloat16(float value) noexcept {
  const auto f32 = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = f32 & 0x80000000;
  const std::uint32_t magnitude = f32 ^ sign;
  const bool nan = magnitude > f32_infinity;
  const std::uint32_t upper = nan ? magnitude >> 16 | 0x40 : shift_rounded(magnitude, 16);
  bits = static_cast<std::uint16_t>(sign >> 16 | upper);
}

}  // namespace nodewise
