// The bytes of a segment's file that processes lock.
//
// Locks show which processes use a segment. The kernel releases them however a process ends. Every holder has
// a shared lock on the holder byte. The maker also has an exclusive lock on the maker byte until the segment
// is published. So if a file is not published and its maker byte is free, its maker is dead. A process that
// locks the maker byte may remove the name.
#pragma once

#include <cstdint>

namespace nodewise {

inline constexpr std::uint64_t maker_byte = 0;
inline constexpr std::uint64_t holder_byte = 1;

}  // namespace nodewise
