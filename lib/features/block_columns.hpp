// The columns of a block, for batches in any layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <nodewise/layout.hpp>

#include "kernels/layout.hpp"
#include "layout/blocks.hpp"

namespace nodewise {

/// Thread class: one thread.
class BlockColumns {
 public:
  /// The shape of blocks that suits batches of this shape in this layout, and the best order of blocks.
  static BlockShape shape(Layout layout, std::uint64_t rows, std::uint64_t cols, std::size_t element_bytes);
  static LayoutBlocks::Order order(Layout layout);

  BlockColumns(Layout layout, std::size_t element_bytes, std::uint64_t features,
               const LayoutKernels& kernels);

  /// The columns of `block`, one after the other. They lie in `batch`, or in memory that is valid until the
  /// next call. Preconditions: the block is not empty, and has the shape that shape() returned, or a smaller
  /// one at the edge of the batch.
  const std::byte* of(const LayoutBlock& block, const std::byte* batch);

 private:
  // For blocks of rows. Columns are an odd number of cache lines long, so that they do not compete for a few
  // sets of the cache while they are written. Together they fit into the second-level cache.
  static constexpr std::uint64_t turned_column_bytes = 7 * 64;
  static constexpr std::uint64_t turned_row_bytes = 1024;

  Layout layout_;
  std::size_t width_;
  std::uint64_t features_;
  LayoutKernels::Transpose transpose_;
  std::vector<std::byte> turned_;
};

}  // namespace nodewise
