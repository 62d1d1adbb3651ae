// Numbers of bytes as text for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nodewise/export.hpp>

namespace nodewise {

/// "512 B", "64 KiB", "1.5 GiB". Units are powers of 1024; after the first decimal, the number is cut off,
/// not rounded. Thread class: any thread.
NODEWISE_PUBLIC std::string human_bytes(std::uint64_t bytes);

/// The number of bytes that `text` states. It is a number, which may have a fraction, followed by nothing,
/// "B", "K", "M", "G", "T", "KiB", "MiB", "GiB" or "TiB" (powers of 1024), or by "kB", "MB", "GB" or "TB"
/// (powers of 1000). One space may stand before the unit. Empty for any other text, or if the result is not a
/// whole number of bytes, or exceeds 64 bits. Thread class: any thread.
NODEWISE_PUBLIC std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace nodewise
