// The columns of a block, whatever the layout of its batch.
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
  /// Blocks that suit a layout of batches of this shape, and the order in which they suit it.
  static BlockShape shape(Layout layout, std::uint64_t rows, std::uint64_t cols, std::size_t element_bytes);
  static LayoutBlocks::Order order(Layout layout);

  BlockColumns(Layout layout, std::size_t element_bytes, std::uint64_t features,
               const LayoutKernels& kernels);

  /// The columns of `block`, one after the other: in `batch`, or valid until the next call. Precondition: the
  /// block is not empty, and has the shape that shape() gave, or less at an edge.
  const std::byte* of(const LayoutBlock& block, const std::byte* batch);

 private:
  // Of blocks of rows: columns are an odd number of cache lines, so that they do not share too few sets of
  // the cache while they are written; together they fit the second cache.
  static constexpr std::uint64_t turned_column_bytes = 7 * 64;
  static constexpr std::uint64_t turned_row_bytes = 1024;

  Layout layout_;
  std::size_t width_;
  std::uint64_t features_;
  LayoutKernels::Transpose transpose_;
  std::vector<std::byte> turned_;
};

}  // namespace nodewise
