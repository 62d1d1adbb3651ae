#include "parts/parse.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace nodewise::tools {
std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), count);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return count;
}

std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::string_view letters = "smhd";
  constexpr std::uint64_t second = 1'000'000'000;
  constexpr std::uint64_t unit_ns[] = {second, 60 * second, 3600 * second, 86400 * second};
  const auto unit = text.empty() ? letters.npos : letters.find(text.back());
  if (unit == letters.npos) return std::nullopt;
  const auto count = parse_count(text.substr(0, text.size() - 1));
  const auto ns = count ? product(*count, unit_ns[unit]) : count;
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
