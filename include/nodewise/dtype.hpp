// The element types of a dataset, and two 16-bit floating-point types that C++20 lacks.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// The element type of a dataset, known at run time.
enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8 };

/// The bytes of one element: 1, 2, 4 or 8.
constexpr std::size_t dtype_bytes(DType dtype) noexcept {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
    case DType::u64:
      return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i8:
    case DType::u8:
      return 1;
  }
  return 0;  // not an element type
}

/// The number of element types; their numbers are 0 to dtype_count - 1. It is the size of a table that has an
/// entry for each type.
inline constexpr std::size_t dtype_count = [] {
  std::size_t count = 0;
  while (dtype_bytes(static_cast<DType>(count)) != 0) ++count;
  return count;
}();

/// Every element type, in the order of the enumeration.
inline constexpr std::array<DType, dtype_count> all_dtypes = [] {
  std::array<DType, dtype_count> all{};
  for (std::size_t i = 0; i < dtype_count; ++i) all[i] = static_cast<DType>(i);
  return all;
}();

/// The name in flags, JSON and messages: "f64", "bf16", "u8", ...
NODEWISE_PUBLIC std::string_view to_string(DType dtype) noexcept;
inline std::string_view dtype_name(DType dtype) noexcept {
  return to_string(dtype);
}

/// The element type with this name, which may be that of to_string ("f64") or of NumPy ("float64", "uint8",
/// ...). Empty for any other text.
NODEWISE_PUBLIC std::optional<DType> parse_dtype(std::string_view name) noexcept;

/// IEEE 754 binary16, held as its bits. Conversion from float is explicit and rounds to nearest even.
/// Conversion to float is exact and implicit, so `for (float x : view.row(0))` works.
struct NODEWISE_PUBLIC float16 {
  std::uint16_t bits = 0;
  float16() = default;
  explicit float16(float value) noexcept;
  operator float() const noexcept;
  static constexpr float16 from_bits(std::uint16_t bits) noexcept {
    float16 result;
    result.bits = bits;
    return result;
  }
  friend bool operator==(float16, float16) = default;  ///< Compares bits, not values.
};

/// bfloat16 (the upper half of a binary32), held as its bits. It converts as float16 does.
struct NODEWISE_PUBLIC bfloat16 {
  std::uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float value) noexcept;
  operator float() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
  static constexpr bfloat16 from_bits(std::uint16_t bits) noexcept {
    bfloat16 result;
    result.bits = bits;
    return result;
  }
  friend bool operator==(bfloat16, bfloat16) = default;  ///< Compares bits, not values.
};

namespace detail {
template <class T>
struct DTypeOf;
template <DType D>
struct Is {
  static constexpr DType value = D;
};
// clang-format off
template <> struct DTypeOf<double> : Is<DType::f64> {};
template <> struct DTypeOf<float> : Is<DType::f32> {};
template <> struct DTypeOf<float16> : Is<DType::f16> {};
template <> struct DTypeOf<bfloat16> : Is<DType::bf16> {};
// clang-format on

template <class T, class... Others>
concept OneOf = (std::is_same_v<T, Others> || ...);

// Integers by size and sign, whatever their names: std::int64_t is either long or long long, and programs use
// both. bool is left out, because its bytes may only be 0 and 1. Character types are left out, because they
// are text, and because char has a sign on some machines only.
template <class T>
concept ElementInteger = std::is_integral_v<T> && sizeof(T) <= 8 &&
                         !OneOf<T, bool, char, wchar_t, char8_t, char16_t, char32_t>;

constexpr DType integer_dtype(std::size_t bytes, bool has_sign) noexcept {
  if (bytes == 8) return has_sign ? DType::i64 : DType::u64;
  if (bytes == 4) return has_sign ? DType::i32 : DType::u32;
  if (bytes == 2) return has_sign ? DType::i16 : DType::u16;
  return has_sign ? DType::i8 : DType::u8;
}
template <ElementInteger T>
struct DTypeOf<T> : Is<integer_dtype(sizeof(T), std::is_signed_v<T>)> {};
}  // namespace detail

/// A C++ type (const or not) that is an element type: a floating-point type such as double or bfloat16, or
/// any integer type of 1, 2, 4 or 8 bytes by its size and sign. So long and long long are both i64. bool,
/// char and the other character types are not element types. The aliasing rules of C++ still hold: what was
/// written as long should not be read as long long.
template <class T>
concept Element = requires {
  detail::DTypeOf<std::remove_const_t<T>>::value;
};

namespace detail {
// Properties of an element type. Any other type is a compile error that lists them.
template <class T>
struct ElementTraits : std::conditional_t<Element<T>, DTypeOf<std::remove_const_t<T>>, Is<DType::u8>> {
  static_assert(Element<T>,
                "this type is none of nodewise's element types: f64 double, f32 float, f16 "
                "nodewise::float16, bf16 nodewise::bfloat16, i64 std::int64_t, i32 std::int32_t, i16 "
                "std::int16_t, i8 std::int8_t, u64 std::uint64_t, u32 std::uint32_t, u16 std::uint16_t, u8 "
                "std::uint8_t");
  using type = std::remove_const_t<T>;
};
}  // namespace detail

/// The DType of a C++ element type. Any other type is a compile error that lists them.
template <class T>
inline constexpr DType dtype_of = detail::ElementTraits<T>::value;

}  // namespace nodewise
