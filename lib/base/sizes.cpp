#include <nodewise/sizes.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace nodewise {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t bytes;
};

constexpr Unit units[] = {
    {"", 1},
    {"B", 1},
    {"K", std::uint64_t{1} << 10},
    {"KiB", std::uint64_t{1} << 10},
    {"kB", 1000},
    {"M", std::uint64_t{1} << 20},
    {"MiB", std::uint64_t{1} << 20},
    {"MB", 1000 * 1000},
    {"G", std::uint64_t{1} << 30},
    {"GiB", std::uint64_t{1} << 30},
    {"GB", 1000 * 1000 * 1000},
    {"T", std::uint64_t{1} << 40},
    {"TiB", std::uint64_t{1} << 40},
    {"TB", std::uint64_t{1000} * 1000 * 1000 * 1000},
};

std::optional<std::uint64_t> unit_bytes(std::string_view name) {
  for (const Unit& unit : units)
    if (unit.name == name) return unit.bytes;
  return std::nullopt;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// Numbers with a fraction, such as "1.5" of a unit. This is exact for all sizes that people write. Whole
// numbers do not come here.
std::optional<std::uint64_t> fraction_of(std::string_view number, std::uint64_t unit) {
  const auto parsed = parse_number<double>(number);
  if (!parsed) return std::nullopt;
  const double bytes = *parsed * static_cast<double>(unit);
  constexpr double exact_below = 9007199254740992.0;  // 2^53
  if (bytes != std::floor(bytes) || bytes >= exact_below) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  return base::human_bytes(bytes);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  auto name = text.substr(digits);
  if (name.size() > 1 && name.front() == ' ') name.remove_prefix(1);
  const auto unit = unit_bytes(name);
  const auto number = text.substr(0, digits);
  if (!unit || number.empty()) return std::nullopt;
  if (const auto count = parse_number<std::uint64_t>(number)) return base::checked_mul(*count, *unit);
  return fraction_of(number, *unit);
}

}  // namespace nodewise
