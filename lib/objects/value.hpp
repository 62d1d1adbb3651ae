// Values as they lie in shared memory: a word, or two copies of which one holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace nodewise::objects {

/// A barrier that nobody has come to, and that was never broken.
inline constexpr std::uint64_t fresh_barrier = std::uint64_t{0x7fff} << 33;

/// What a value takes; nothing if that exceeds the address space.
std::optional<std::uint64_t> value_bytes(std::uint64_t bytes);
/// In zeroed memory. Returns an errno.
int make_value(std::byte* at, const void* initial, std::size_t bytes);

}  // namespace nodewise::objects
