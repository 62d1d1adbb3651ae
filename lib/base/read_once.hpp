// Words that another process may change at any moment.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace nodewise::base {

/// Copies a structure in shared memory, reading each of its words once. What is checked of the copy holds for
/// it from then on; words that were checked in shared memory and are read again may have another value.
template <class T>
T read_once(const T& shared) noexcept {
  constexpr std::size_t word_bytes = sizeof(std::uint64_t);
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % word_bytes == 0 && alignof(T) >= word_bytes);
  struct alignas(T) Words {
    std::array<std::uint64_t, sizeof(T) / word_bytes> words;
  } copy;
  const auto* const from = reinterpret_cast<const std::uint64_t*>(&shared);
  for (std::size_t i = 0; i < copy.words.size(); ++i)
    copy.words[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
  return std::bit_cast<T>(copy);
}

}  // namespace nodewise::base
