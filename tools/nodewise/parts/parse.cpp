#include "parts/parse.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/checked.hpp"

namespace nodewise::tools {
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

// "1.5" of a unit: exact for every size that people write; whole sizes go another way.
std::optional<std::uint64_t> fraction_of(std::string_view number, std::uint64_t unit) {
  const auto parsed = parse_number(number);
  if (!parsed || number.front() == '-') return std::nullopt;
  const double bytes = *parsed * static_cast<double>(unit);
  constexpr double exact_below = 9007199254740992.0;  // 2^53
  if (bytes != std::floor(bytes) || bytes >= exact_below) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return count;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789."), text.size());
  auto name = text.substr(digits);
  if (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  const auto unit = unit_bytes(name);
  const auto number = text.substr(0, digits);
  if (!unit || number.empty()) return std::nullopt;
  if (const auto count = parse_count(number)) return base::checked_mul(*count, *unit);
  return fraction_of(number, *unit);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::string_view letters = "smhd";
  constexpr std::uint64_t second = 1'000'000'000;
  constexpr std::uint64_t unit_ns[] = {second, 60 * second, 3600 * second, 86400 * second};
  const auto unit = text.empty() ? letters.npos : letters.find(text.back());
  if (unit == letters.npos) return std::nullopt;
  const auto count = parse_count(text.substr(0, text.size() - 1));
  const auto ns = count ? base::checked_mul(*count, unit_ns[unit]) : count;
  if (!ns || *ns > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(*ns));
}

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

}  // namespace nodewise::tools
