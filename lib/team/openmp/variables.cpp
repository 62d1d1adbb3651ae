#include "team/openmp/variables.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <string_view>

#include <nodewise/team.hpp>

#include "base/text.hpp"

namespace nodewise {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view spaces = " \t\n";
  const auto first = std::min(text.find_first_not_of(spaces), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(spaces) + 1);
}

// A whole text that is a number above 0, perhaps with a plus sign.
std::optional<std::uint64_t> positive(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && value > 0 ? std::optional(value) : std::nullopt;
}

// A number with one of the units B, K, M and G; without a unit, it is in KiB.
std::optional<std::size_t> bytes_of(std::string_view text) {
  text = trimmed(text);
  constexpr std::string_view units = "bBkKmMgG";
  unsigned shift = 10;
  if (const auto unit = text.empty() ? text.npos : units.find(text.back()); unit != text.npos) {
    shift = 10 * static_cast<unsigned>(unit / 2);
    text.remove_suffix(1);
  }
  const auto number = positive(text);
  if (!number || *number > std::numeric_limits<std::size_t>::max() >> shift) return std::nullopt;
  return static_cast<std::size_t>(*number) << shift;
}

}  // namespace

std::optional<unsigned> omp_num_threads(std::string_view text) {
  std::optional<unsigned> first;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    const auto number = positive(text.substr(0, comma));
    if (!number) return std::nullopt;
    const std::uint64_t most = std::numeric_limits<int>::max();
    if (!first) first = static_cast<unsigned>(std::min(*number, most));
    more = comma != text.npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return first;
}

std::optional<unsigned> threads_setting() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  return text != nullptr ? omp_num_threads(text) : std::nullopt;
}

std::optional<StackSetting> stack_setting() {
  for (const char* name : {"OMP_STACKSIZE", "GOMP_STACKSIZE"}) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    if (const auto bytes = bytes_of(text)) return StackSetting{*bytes, base::text(name, '=', text)};
  }
  return std::nullopt;
}

}  // namespace nodewise
