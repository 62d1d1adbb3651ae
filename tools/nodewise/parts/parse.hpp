// Numbers as they are written on a command line. Nothing is returned where the text is anything else.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nodewise::tools {

/// A whole number: digits alone, no sign, no octal.
std::optional<std::uint64_t> parse_count(std::string_view text);

/// Bytes: a number (a fraction too), then nothing, K, M, G, T or KiB, MiB, GiB, TiB (powers of 1024) or
/// kB, MB, GB, TB (powers of 1000), or B. Nothing where it is not a whole number of bytes or exceeds 64 bits.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// A whole number of seconds, minutes, hours or days: 30s, 10m, 2h, 7d. Nothing where that is more than three
/// centuries.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// A finite number.
std::optional<double> parse_number(std::string_view text);

}  // namespace nodewise::tools
