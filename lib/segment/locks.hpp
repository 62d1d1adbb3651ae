// The bytes of a segment's file that processes lock.
//
// Locks tell which processes are there, and the kernel releases them however a process ends. Every holder of
// a segment has a shared lock on its holder byte. The maker also has an exclusive lock on the maker byte
// until the segment is published. So a file that is not published and whose maker byte is free was left by a
// dead maker; a process that locks that byte may remove the name.
#pragma once

#include <cstdint>

namespace nodewise {

inline constexpr std::uint64_t maker_byte = 0;
inline constexpr std::uint64_t holder_byte = 1;

}  // namespace nodewise
