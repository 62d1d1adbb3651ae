// Sizes in bytes, as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nodewise/export.hpp>

namespace nodewise {

/// "512 B", "64 KiB", "1.5 GiB": units are powers of 1024, and one decimal is cut off, not rounded. Thread
/// class: reentrant.
NODEWISE_PUBLIC std::string human_bytes(std::uint64_t bytes);

/// The bytes that `text` says: a number, which may have a fraction, then nothing, "B", "K", "M", "G", "T",
/// "KiB", "MiB", "GiB" or "TiB" (powers of 1024), or "kB", "MB", "GB" or "TB" (powers of 1000). One space may
/// stand between number and unit. Nothing for any other text, and where the result is not a whole number of
/// bytes or exceeds 64 bits. Thread class: reentrant.
NODEWISE_PUBLIC std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace nodewise
