// The bytes of a segment's file that processes lock.
//
// Locks say who is there, and the kernel takes them back however a process ends. Who holds a segment has its
// holder byte locked, shared. A maker has the maker byte too, exclusively, until the segment is published: a
// file that is not published and whose maker byte is free was left by a dead maker, and whoever locks that
// byte may take the name away.
#pragma once

#include <cstdint>

namespace nodewise {

inline constexpr std::uint64_t maker_byte = 0;
inline constexpr std::uint64_t holder_byte = 1;

}  // namespace nodewise
