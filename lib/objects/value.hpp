// Values in shared memory: one word, or two copies of which one is valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace nodewise::objects {

/// The word of a barrier at which no party has arrived, and which was never broken.
inline constexpr std::uint64_t fresh_barrier = std::uint64_t{0x7fff} << 33;

/// The bytes that a value takes; nullopt if they exceed the address space.
std::optional<std::uint64_t> value_bytes(std::uint64_t bytes);
/// Precondition: the memory is zeroed. Returns an errno.
int make_value(std::byte* at, const void* initial, std::size_t bytes);

}  // namespace nodewise::objects
