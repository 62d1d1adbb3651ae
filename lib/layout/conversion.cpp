#include "layout/conversion.hpp"

#include <nodewise/expects.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace nodewise {
namespace {

// The width of a block that is narrower than its batch; its height follows from this. Found by trying. Memory
// should be read and written in long pieces: pieces of rows are as long as a block is wide, pieces of columns
// are as long as a block is high.
constexpr std::uint64_t width_bytes(Layout from, Layout to) {
  if (from == Layout::columns) return to == Layout::tiles ? 128 : 512;
  return from == Layout::tiles && to == Layout::columns ? 512 : 1024;
}
constexpr std::uint64_t line_elements = 64;  // whole cache lines for any element type

constexpr std::size_t line_bytes = 64;
constexpr std::size_t read_ahead = 1024;

}  // namespace

struct LayoutConversion::Gathering {
  const LayoutBlock& of;
  std::uint64_t cols;           // the columns of the batch
  std::uint64_t height, width;  // those of the block
  std::uint64_t apart;          // elements between the beginnings of two runs, or two tiles, in the scratch
  std::byte* scratch;
  LayoutRuns& meanwhile;
};

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
  // One tile after the other, along the rows: each row is read on, and all is written to one place.
  if (from_ == Layout::rows && to_ == Layout::tiles && cols * tile_rows >= all)
    return {tile_rows, all / tile_rows};
  BlockShape shape;
  shape.cols = std::min(cols, width_bytes(from_, to_) / width_);
  shape.rows = std::min(rows, base::round_down(all / shape.cols, line_elements));
  if (shape.rows == rows)
    shape.cols = std::min(cols, std::max(shape.cols, base::round_down(all / rows, line_elements)));
  return shape;
}

LayoutBlocks::Order LayoutConversion::order() const noexcept {
  const bool along = from_ == Layout::columns || to_ == Layout::tiles;
  return along ? LayoutBlocks::Order::along_rows : LayoutBlocks::Order::down_columns;
}

// The elements between the beginnings of two runs in the scratch, which have `elements` elements each. It is
// an odd number of cache lines, if there is room. `follow`: the runs follow one another in the target, so
// they also do here.
std::uint64_t LayoutConversion::apart(std::uint64_t elements, std::uint64_t count,
                                      bool follow) const noexcept {
  const std::uint64_t odd_bytes = ((elements * width_ / line_bytes + 1) | 1) * line_bytes;
  const std::uint64_t padding = (odd_bytes - elements * width_) * count;
  return follow || padding > Scratch::padding_bytes ? elements : odd_bytes / width_;
}

void LayoutConversion::convert(const LayoutBlock& block, std::uint64_t cols, const std::byte* from,
                               std::byte* to, Scratch& scratch) const noexcept {
  // A short last batch does not have this block
  if (block.rows.size() == 0 || block.cols.size() == 0) return;
  NODEWISE_EXPECTS(block.rows.begin % tile_rows == 0);
  const std::uint64_t height = block.rows.size(), width = block.cols.size();
  Gathering gathering{block, cols, height, width, 0, scratch.blocks[scratch.next], scratch.runs};
  if (to_ == Layout::columns) gathering.apart = apart(height, width, height == block.batch_rows);
  if (to_ == Layout::rows) gathering.apart = apart(width, height, width == cols);
  if (to_ == Layout::tiles) gathering.apart = apart(tile_rows * width, height / tile_rows + 1, false);
  gather(gathering, from);
  kernels_->finish(scratch.runs, past_caches_);
  put_out(gathering, to);
  scratch.next = 1 - scratch.next;
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
    if (down ? !advance(block.cols, part.cols, cols) : !advance(block.rows, part.rows, rows)) break;
  }
  kernels_->finish(scratch.runs, past_caches_);
}

void LayoutConversion::copy(const std::byte* from, std::byte* to, std::size_t bytes) const noexcept {
  LayoutRuns runs;
  runs.from = reinterpret_cast<const char*>(from);
  runs.to = reinterpret_cast<char*>(to);
  runs.bytes = bytes;
  runs.count = 1;
  kernels_->finish(runs, past_caches_);
}

void LayoutConversion::done(Scratch& scratch) const noexcept {
  kernels_->finish(scratch.runs, past_caches_);
  fence();
}

void LayoutConversion::fence() const noexcept {
  if (past_caches_) kernels_->fence();
}

// Gathers runs: of columns, of rows, or of columns in each tile.
void LayoutConversion::gather(const Gathering& block, const std::byte* from) const noexcept {
  const std::uint64_t batch_rows = block.of.batch_rows;
  const std::uint64_t row = block.of.rows.begin, col = block.of.cols.begin;
  if (from_ == Layout::tiles || to_ == Layout::tiles)
    gather_tiles(block, from);
  else if (to_ == Layout::columns)
    transpose_(from + (row * block.cols + col) * width_, block.cols, block.scratch, block.apart, block.height,
               block.width, block.meanwhile, past_caches_);
  else
    transpose_(from + (col * batch_rows + row) * width_, batch_rows, block.scratch, block.apart, block.width,
               block.height, block.meanwhile, past_caches_);
}

void LayoutConversion::gather_tiles(const Gathering& block, const std::byte* from) const noexcept {
  if (from_ == Layout::columns) return cut_columns(block, from);
  const auto [of, cols, height, width, apart, scratch, meanwhile] = block;
  for (std::uint64_t row = 0; row < height; row += tile_rows) {
    const std::uint64_t first = of.rows.begin + row;  // the number of the row in the batch
    const std::uint64_t tile_height = std::min<std::uint64_t>(tile_rows, of.batch_rows - first);
    const std::byte* const tile = from + (first * cols + of.cols.begin * tile_height) * width_;
    const std::size_t piece = tile_height * width_;
    if (from_ == Layout::rows)
      transpose_(from + (first * cols + of.cols.begin) * width_, cols,
                 scratch + row / tile_rows * apart * width_, tile_height, tile_height, width, meanwhile,
                 past_caches_);
    else if (to_ == Layout::rows)
      transpose_(tile, tile_height, scratch + row * apart * width_, apart, width, tile_height, meanwhile,
                 past_caches_);
    else
      kernels_->gather(tile, piece, scratch + row * width_, apart * width_, piece, width, read_ahead,
                       meanwhile, past_caches_);
  }
}

// Cuts columns into columns of tiles. Each column is read from its beginning to its end.
void LayoutConversion::cut_columns(const Gathering& block, const std::byte* from) const noexcept {
  const auto [of, cols, height, width, apart, scratch, meanwhile] = block;
  const std::uint64_t whole = height / tile_rows, rest = height % tile_rows;
  const std::size_t piece = tile_rows * width_, next_column = of.batch_rows * width_;
  for (std::uint64_t col = 0; col < width; ++col) {
    const std::byte* const column = from + ((of.cols.begin + col) * of.batch_rows + of.rows.begin) * width_;
    kernels_->gather(column, piece, scratch + col * piece, apart * width_, piece, whole, next_column,
                     meanwhile, past_caches_);
    if (rest > 0)
      kernels_->gather(column + whole * piece, 0, scratch + (whole * apart + col * rest) * width_, 0,
                       rest * width_, 1, next_column, meanwhile, past_caches_);
  }
}

void LayoutConversion::put_out(const Gathering& block, std::byte* to) const noexcept {
  const auto [of, cols, height, width, apart, scratch, meanwhile] = block;
  const auto runs = [&, from_apart = apart, data = scratch](std::uint64_t skipped, std::uint64_t place,
                                                            std::uint64_t to_apart, std::uint64_t elements,
                                                            std::uint64_t count) {
    if (to_apart == elements && from_apart == elements) elements *= std::exchange(count, 1);
    return LayoutRuns{reinterpret_cast<const char*>(data + skipped * width_),
                      from_apart * width_,
                      reinterpret_cast<char*>(to + place * width_),
                      to_apart * width_,
                      elements * width_,
                      count};
  };
  const std::uint64_t row = of.rows.begin, col = of.cols.begin;
  if (to_ == Layout::columns) {
    meanwhile = runs(0, col * of.batch_rows + row, of.batch_rows, height, width);
  } else if (to_ == Layout::rows) {
    meanwhile = runs(0, row * cols + col, cols, width, height);
  } else {
    const std::uint64_t whole = height / tile_rows, rest = height % tile_rows;
    if (rest > 0) {
      meanwhile = runs(whole * apart, (row + whole * tile_rows) * cols + col * rest, 0, rest * width, 1);
      kernels_->finish(meanwhile, past_caches_);
    }
    meanwhile = runs(0, row * cols + col * tile_rows, tile_rows * cols, tile_rows * width, whole);
  }
}

}  // namespace nodewise
