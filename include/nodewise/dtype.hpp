// The twelve element types of a dataset, and the two half-width floats that C++20 lacks.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// Element type of a dataset, known at run time.
enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8 };

/// Bytes of one element: 1, 2, 4 or 8.
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
  return 0;  // of a number that is no element type
}

/// The number of element types: their numbers are 0 to dtype_count - 1. Tables that have an entry for each
/// are of this size.
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

/// "f64", "bf16", "u8", ...: the name used by flags, JSON and messages.
NODEWISE_PUBLIC std::string_view to_string(DType dtype) noexcept;
inline std::string_view dtype_name(DType dtype) noexcept {
  return to_string(dtype);
}

/// As parse<DType>, which knows the names that to_string gives; NumPy's ("float64", "uint8", ...) are
/// understood too.
NODEWISE_PUBLIC std::optional<DType> parse_dtype(std::string_view name) noexcept;

/// IEEE 754 binary16, held as its bits. Converts from float by rounding to nearest even.
struct NODEWISE_PUBLIC float16 {
  std::uint16_t bits = 0;
  float16() = default;
  explicit float16(float value) noexcept;
  explicit operator float() const noexcept;
  static constexpr float16 from_bits(std::uint16_t bits) noexcept {
    float16 result;
    result.bits = bits;
    return result;
  }
  friend bool operator==(float16, float16) = default;  ///< Compares bits, not values.
};

/// bfloat16 (the upper half of a binary32), held as its bits. Converts by rounding to nearest even.
struct NODEWISE_PUBLIC bfloat16 {
  std::uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float value) noexcept;
  explicit operator float() const noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
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
template <> struct DTypeOf<std::int64_t> : Is<DType::i64> {};
template <> struct DTypeOf<std::int32_t> : Is<DType::i32> {};
template <> struct DTypeOf<std::int16_t> : Is<DType::i16> {};
template <> struct DTypeOf<std::int8_t> : Is<DType::i8> {};
template <> struct DTypeOf<std::uint64_t> : Is<DType::u64> {};
template <> struct DTypeOf<std::uint32_t> : Is<DType::u32> {};
template <> struct DTypeOf<std::uint16_t> : Is<DType::u16> {};
template <> struct DTypeOf<std::uint8_t> : Is<DType::u8> {};
// clang-format on
}  // namespace detail

/// A C++ type that is one of the twelve element types (const or not).
template <class T>
concept Element = requires {
  detail::DTypeOf<std::remove_const_t<T>>::value;
};

/// The DType of a C++ element type.
template <Element T>
inline constexpr DType dtype_of = detail::DTypeOf<std::remove_const_t<T>>::value;

}  // namespace nodewise
