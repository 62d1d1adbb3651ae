// The 64-bit Fowler-Noll-Vo hash, variant 1a (http://www.isthe.com/chongo/tech/comp/fnv/), for descriptions
// that two builds or two machines compare.
#pragma once

#include <cstdint>
#include <string_view>

namespace nodewise::base {

inline constexpr std::uint64_t fnv_start = 0xcbf29ce484222325;

constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = fnv_start) noexcept {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

}  // namespace nodewise::base
