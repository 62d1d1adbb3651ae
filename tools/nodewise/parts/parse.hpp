// Numbers as they are written on a command line. Nothing is returned where the text is anything else.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nodewise::tools {

/// A whole number: digits alone, no sign, no octal.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// a * b; nothing where that exceeds 64 bits.
std::optional<std::uint64_t> product(std::uint64_t a, std::uint64_t b);

/// A whole number of seconds, minutes, hours or days: 30s, 10m, 2h, 7d. Nothing where that is more than three
/// centuries.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// A finite number.
std::optional<double> parse_number(std::string_view text);

}  // namespace nodewise::tools
