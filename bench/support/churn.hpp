// What programs do with blocks of memory: take one, write to each of its pages, give another one back.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "support/mapping.hpp"
#include "support/rounds.hpp"

namespace bench {

inline constexpr std::size_t churn_alive = 16;

/// How many blocks a thread takes: 2000, where NODEWISE_BENCH_MIB is not less than 250.
inline std::size_t churn_blocks() {
  return std::min<std::size_t>(2000, 8 * large_mib());
}

/// Sizes of batches, from 4 KiB to 4 MiB, as many of each power of two; the same for every allocator.
inline const std::vector<std::size_t>& churn_sizes(unsigned thread) {
  static const std::array<std::vector<std::size_t>, 2> all = [] {
    std::array<std::vector<std::size_t>, 2> sizes;
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> exponent(12, 22);
    for (auto& of_thread : sizes)
      for (std::size_t block = 0; block < churn_blocks(); ++block)
        of_thread.push_back(static_cast<std::size_t>(std::exp2(exponent(random))));
    return sizes;
  }();
  return all[thread % all.size()];
}

/// One thread's part: so many blocks, of which some are alive at once and go in the order in which they came.
template <class Allocate, class Free>
void churn(unsigned thread, Allocate allocate, Free free) {
  struct Block {
    std::byte* at = nullptr;
    std::size_t bytes = 0;
  };
  std::array<Block, churn_alive> alive;
  std::size_t oldest = 0;
  for (const std::size_t bytes : churn_sizes(thread)) {
    Block& block = alive[oldest++ % churn_alive];
    if (block.at != nullptr) free(block.at, block.bytes);
    block = {static_cast<std::byte*>(allocate(bytes)), bytes};
    for (std::size_t at = 0; at < bytes; at += base_page_bytes)
      const_cast<volatile std::byte*>(block.at)[at] = std::byte{1};
  }
  for (const Block& block : alive)
    if (block.at != nullptr) free(block.at, block.bytes);
}

}  // namespace bench
