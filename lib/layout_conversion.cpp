#include "layout_conversion.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace nodewise {
namespace {

// Of a block that is not as wide as its batch: runs so long are near the speed of memory, and several of them
// still fit the scratch.
constexpr std::uint64_t run_bytes = 512;
constexpr std::uint64_t line_elements = 64;  // whole lines of any element

}  // namespace

LayoutConversion::LayoutConversion(Layout from, Layout to, std::size_t element_bytes, bool past_caches,
                                   const LayoutKernels& kernels) noexcept
    : from_(from),
      to_(to),
      width_(element_bytes),
      past_caches_(past_caches),
      kernels_(&kernels),
      transpose_(kernels.transpose[std::countr_zero(element_bytes)]) {}

BlockShape LayoutConversion::shape(std::uint64_t rows, std::uint64_t cols) const noexcept {
  const std::uint64_t all = Scratch::bytes / width_;
  const auto rows_beside = [&](std::uint64_t some) {
    return std::min(rows, base::round_down(all / some, line_elements));
  };
  BlockShape shape;
  shape.cols = std::min(cols, run_bytes / width_);
  shape.rows = rows_beside(shape.cols);
  if (shape.rows == rows)
    shape.cols = std::min(cols, std::max(shape.cols, base::round_down(all / rows, line_elements)));
  return shape;
}

LayoutBlocks::Order LayoutConversion::order() const noexcept {
  return from_ == Layout::columns ? LayoutBlocks::Order::along_rows : LayoutBlocks::Order::down_columns;
}

void LayoutConversion::convert(const LayoutBlock& block, std::uint64_t cols, const std::byte* from,
                               std::byte* to, Scratch& scratch) const noexcept {
  if (block.rows.size() == 0 || block.cols.size() == 0) return;
  gather(block, cols, from, scratch.data);
  put_out(block, cols, scratch.data, to);
}

void LayoutConversion::convert(const std::byte* from, std::byte* to, std::uint64_t rows, std::uint64_t cols,
                               Scratch& scratch) const noexcept {
  if (same_places(from_, to_, rows, cols))
    return copy(from, to, static_cast<std::size_t>(rows * cols * width_));
  const BlockShape part = shape(rows, cols);
  const bool down = order() == LayoutBlocks::Order::down_columns;
  LayoutBlock block{0, rows, {0, std::min(part.rows, rows)}, {0, std::min(part.cols, cols)}};
  const auto advance = [](base::Range& range, std::uint64_t size, std::uint64_t all) {
    range = {range.end, std::min(range.end + size, all)};
    return range.size() > 0;
  };
  while (true) {
    convert(block, cols, from, to, scratch);
    if (down ? advance(block.rows, part.rows, rows) : advance(block.cols, part.cols, cols)) continue;
    if (down) block.rows = {0, std::min(part.rows, rows)};
    if (!down) block.cols = {0, std::min(part.cols, cols)};
    if (down ? !advance(block.cols, part.cols, cols) : !advance(block.rows, part.rows, rows)) return;
  }
}

void LayoutConversion::copy(const std::byte* from, std::byte* to, std::size_t bytes) const noexcept {
  (past_caches_ ? kernels_->stream_runs : kernels_->copy_runs)(from, 0, to, 0, bytes, 1);
}

void LayoutConversion::done() const noexcept {
  if (past_caches_) kernels_->fence();
}

// Into runs: of columns, of rows, or of columns in each tile.
void LayoutConversion::gather(const LayoutBlock& block, std::uint64_t cols, const std::byte* from,
                              std::byte* to) const noexcept {
  const std::uint64_t height = block.rows.size(), width = block.cols.size();
  if (from_ == Layout::tiles || to_ == Layout::tiles)
    gather_tiles(block, cols, from, to);
  else if (to_ == Layout::columns)
    transpose_(from + (block.rows.begin * cols + block.cols.begin) * width_, cols, to, height, height, width);
  else
    transpose_(from + (block.cols.begin * block.batch_rows + block.rows.begin) * width_, block.batch_rows, to,
               width, width, height);
}

void LayoutConversion::gather_tiles(const LayoutBlock& block, std::uint64_t cols, const std::byte* from,
                                    std::byte* to) const noexcept {
  const std::uint64_t height = block.rows.size(), width = block.cols.size();
  for (std::uint64_t row = 0; row < height; row += tile_rows) {
    const std::uint64_t first = block.rows.begin + row;  // in the batch
    const std::uint64_t tile_height = std::min<std::uint64_t>(tile_rows, block.batch_rows - first);
    const std::byte* const tile = from + (first * cols + block.cols.begin * tile_height) * width_;
    const std::byte* const in_rows = from + (first * cols + block.cols.begin) * width_;
    const std::byte* const in_columns = from + (block.cols.begin * block.batch_rows + first) * width_;
    const std::size_t piece = tile_height * width_;
    if (from_ == Layout::rows)
      transpose_(in_rows, cols, to + row * width * width_, tile_height, tile_height, width);
    else if (to_ == Layout::rows)
      transpose_(tile, tile_height, to + row * width * width_, width, width, tile_height);
    else if (from_ == Layout::columns)
      kernels_->copy_runs(in_columns, block.batch_rows * width_, to + row * width * width_, piece, piece,
                          width);
    else
      kernels_->copy_runs(tile, piece, to + row * width_, height * width_, piece, width);
  }
}

void LayoutConversion::put_out(const LayoutBlock& block, std::uint64_t cols, const std::byte* from,
                               std::byte* to) const noexcept {
  const std::uint64_t height = block.rows.size(), width = block.cols.size();
  const auto copy_runs = past_caches_ ? kernels_->stream_runs : kernels_->copy_runs;
  const auto runs = [&](const std::byte* first, std::uint64_t place, std::uint64_t apart,
                        std::uint64_t elements, std::uint64_t count) {
    if (apart == elements) elements *= std::exchange(count, 1);
    copy_runs(first, elements * width_, to + place * width_, apart * width_, elements * width_, count);
  };
  if (to_ == Layout::columns)
    return runs(from, block.cols.begin * block.batch_rows + block.rows.begin, block.batch_rows, height,
                width);
  if (to_ == Layout::rows) return runs(from, block.rows.begin * cols + block.cols.begin, cols, width, height);
  const std::uint64_t whole = base::round_down(height, tile_rows), rest = height - whole;
  runs(from, block.rows.begin * cols + block.cols.begin * tile_rows, tile_rows * cols, tile_rows * width,
       whole / tile_rows);
  if (rest > 0)
    runs(from + whole * width * width_, (block.rows.begin + whole) * cols + block.cols.begin * rest, 0,
         rest * width, 1);
}

}  // namespace nodewise
