#include "features/block_columns.hpp"

#include <algorithm>
#include <bit>

#include <nodewise/expects.hpp>

namespace nodewise {
namespace {

constexpr std::uint64_t block_bytes = std::uint64_t{256} << 10;
constexpr std::uint64_t long_column_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t columns_beside = 4096;

}  // namespace

// For columns and tiles, blocks whose columns follow one another already. For rows, blocks that are
// transposed at once.
BlockShape BlockColumns::shape(Layout layout, std::uint64_t rows, std::uint64_t cols, std::size_t width) {
  if (layout == Layout::tiles) return {tile_rows, std::min(cols, columns_beside)};
  if (layout == Layout::rows)
    return {std::min(rows, turned_column_bytes / width), std::min(cols, turned_row_bytes / width)};
  if (rows * width > long_column_bytes) return {long_column_bytes / width, 1};
  return {rows, std::clamp<std::uint64_t>(block_bytes / (rows * width), 1, cols)};
}

LayoutBlocks::Order BlockColumns::order(Layout layout) {
  return layout == Layout::tiles ? LayoutBlocks::Order::along_rows : LayoutBlocks::Order::down_columns;
}

BlockColumns::BlockColumns(Layout layout, std::size_t element_bytes, std::uint64_t features,
                           const LayoutKernels& kernels)
    : layout_(layout),
      width_(element_bytes),
      features_(features),
      transpose_(kernels.transpose[std::countr_zero(width_)]),
      turned_(layout == Layout::rows ? turned_column_bytes * turned_row_bytes / width_ : 0) {}

const std::byte* BlockColumns::of(const LayoutBlock& block, const std::byte* batch) {
  const std::uint64_t height = block.rows.size(), width = block.cols.size();
  const std::uint64_t row = block.rows.begin, col = block.cols.begin;
  switch (layout_) {
    case Layout::rows: {
      NODEWISE_EXPECTS(height * width * width_ <= turned_.size());
      LayoutRuns nothing;
      transpose_(batch + (row * features_ + col) * width_, features_, turned_.data(), height, height, width,
                 nothing, false);
      return turned_.data();
    }
    case Layout::columns:
      return batch + (col * block.batch_rows + row) * width_;
    case Layout::tiles:
      return batch + (row * features_ + col * height) * width_;
  }
  return nullptr;
}

}  // namespace nodewise
