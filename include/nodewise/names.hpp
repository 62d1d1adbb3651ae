// Names of enumerations: to_string gives the name of a value, and parse gives the value of a name.
#pragma once

#include <concepts>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace nodewise {

/// An enumeration of at most 256 values. Its to_string gives a different name for each value, and "" for a
/// number that is not a value. Every public enumeration of nodewise is one.
template <class E>
concept NamedEnum = std::is_enum_v<E> && sizeof(E) == 1 && requires(E value) {
  { to_string(value) }
  noexcept->std::same_as<std::string_view>;
};

/// All values of an enumeration, in the order of their numbers: `all_values<Policy>()`. Thread class: any
/// thread. Cost: 256 calls of to_string.
template <NamedEnum E>
std::vector<E> all_values() {
  std::vector<E> values;
  for (int number = 0; number < 256; ++number)
    if (const auto value = static_cast<E>(number); !to_string(value).empty()) values.push_back(value);
  return values;
}

/// The value whose name is `text`: `parse<Policy>("blocked")`. Empty for any other text. Thread class: any
/// thread. Cost: at most 256 calls of to_string.
template <NamedEnum E>
std::optional<E> parse(std::string_view text) noexcept {
  if (text.empty()) return std::nullopt;
  for (int number = 0; number < 256; ++number)
    if (to_string(static_cast<E>(number)) == text) return static_cast<E>(number);
  return std::nullopt;
}

}  // namespace nodewise
