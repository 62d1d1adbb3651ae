// Converts one layout to another, block by block. A block is gathered into a scratch that fits into the first
// caches, in the order in which it will be written. From there it is written in runs that are as long as
// possible. So neither reading nor writing uses the strides of the other layout, and what is written past the
// caches is written in whole lines.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nodewise/dtype.hpp>
#include <nodewise/layout.hpp>

#include "kernels/layout.hpp"
#include "layout/blocks.hpp"

namespace nodewise {

/// Whether both layouts put the elements of a batch of this shape, and of shorter batches, in the same
/// places.
constexpr bool same_places(Layout a, Layout b, std::uint64_t rows, std::uint64_t cols) noexcept {
  return a == b || rows <= 1 || cols == 1 || (a != Layout::rows && b != Layout::rows && rows <= tile_rows);
}

/// Thread class: value.
class LayoutConversion {
 public:
  /// The memory that a worker needs on its stack: two blocks, of which one is gathered while the other is
  /// written. The columns or rows of blocks are an odd number of cache lines apart, so that they do not
  /// compete for a few sets of a cache.
  struct alignas(64) Scratch {
    static constexpr std::size_t bytes = std::size_t{64} << 10;
    static constexpr std::size_t padding_bytes = std::size_t{16} << 10;
    std::byte blocks[2][bytes + padding_bytes];
    unsigned next = 0;
    LayoutRuns runs = {};  ///< The runs of the block that was gathered last.
  };

  /// `past_caches`: the result is too large for the caches, and is written past them.
  LayoutConversion(Layout from, Layout to, std::size_t element_bytes, bool past_caches,
                   const LayoutKernels& kernels) noexcept;

  /// The shape of blocks for batches of this size. A block fills at most half of the scratch, and has whole
  /// tiles.
  BlockShape shape(std::uint64_t rows, std::uint64_t cols) const noexcept;
  /// The order of blocks in which each block is read where the one before it ended.
  LayoutBlocks::Order order() const noexcept;
  /// Converts one block of a batch of `cols` columns. It is completely written only when the next one is
  /// gathered, or by done(). Precondition: its rows begin at a multiple of tile_rows, or there are none.
  void convert(const LayoutBlock& block, std::uint64_t cols, const std::byte* from, std::byte* to,
               Scratch& scratch) const noexcept;
  /// Converts a whole batch and writes it completely.
  void convert(const std::byte* from, std::byte* to, std::uint64_t rows, std::uint64_t cols,
               Scratch& scratch) const noexcept;
  /// Copies contiguous bytes at once; all threads see them after fence().
  void copy(const std::byte* from, std::byte* to, std::size_t bytes) const noexcept;
  /// Writes what is left of the blocks; all threads see it then.
  void done(Scratch& scratch) const noexcept;
  void fence() const noexcept;

 private:
  struct Gathering;  // a block while it is gathered into the scratch
  void gather(const Gathering& block, const std::byte* from) const noexcept;
  void gather_tiles(const Gathering& block, const std::byte* from) const noexcept;
  void cut_columns(const Gathering& block, const std::byte* from) const noexcept;
  void put_out(const Gathering& block, std::byte* to) const noexcept;
  std::uint64_t apart(std::uint64_t elements, std::uint64_t count, bool follow) const noexcept;

  Layout from_;
  Layout to_;
  std::size_t width_;  // the bytes of an element
  bool past_caches_;
  const LayoutKernels* kernels_;
  LayoutKernels::Transpose transpose_;
};

}  // namespace nodewise
