// From one layout to another, block by block: each is gathered into a scratch that the first caches hold, in
// the order of where it goes, and put out from there in runs as long as they can be. So neither side sees the
// other's strides, whatever they are, and what is written past the caches is written in whole lines.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nodewise/dtype.hpp>
#include <nodewise/layout.hpp>

#include "kernels/layout.hpp"
#include "layout/blocks.hpp"

namespace nodewise {

/// Whether both layouts put the elements of a batch of this shape, and of shorter ones, in the same places.
constexpr bool same_places(Layout a, Layout b, std::uint64_t rows, std::uint64_t cols) noexcept {
  return a == b || rows <= 1 || cols == 1 || (a != Layout::rows && b != Layout::rows && rows <= tile_rows);
}

/// Thread class: value.
class LayoutConversion {
 public:
  /// What a worker needs, on its stack: two blocks, of which one is gathered while the other is put out.
  /// Columns or rows of blocks are an odd number of lines apart, lest they share too few sets of a cache.
  struct alignas(64) Scratch {
    static constexpr std::size_t bytes = std::size_t{64} << 10;
    static constexpr std::size_t padding_bytes = std::size_t{16} << 10;
    std::byte blocks[2][bytes + padding_bytes];
    unsigned next = 0;
    LayoutRuns runs = {};  ///< Of the block that was gathered last.
  };

  /// `past_caches`: whether the result is too large for the caches, and so is written past them.
  LayoutConversion(Layout from, Layout to, std::size_t element_bytes, bool past_caches,
                   const LayoutKernels& kernels) noexcept;

  /// The shape of blocks for batches of this size: as much as half of the scratch holds, in whole tiles.
  BlockShape shape(std::uint64_t rows, std::uint64_t cols) const noexcept;
  /// The order of blocks in which reading goes on where it was.
  LayoutBlocks::Order order() const noexcept;
  /// One block of a batch of `cols` columns; it is not put out before the next one is gathered, or done().
  /// Precondition: its rows begin at a multiple of tile_rows, or there are none.
  void convert(const LayoutBlock& block, std::uint64_t cols, const std::byte* from, std::byte* to,
               Scratch& scratch) const noexcept;
  /// A whole batch, put out.
  void convert(const std::byte* from, std::byte* to, std::uint64_t rows, std::uint64_t cols,
               Scratch& scratch) const noexcept;
  /// Contiguous bytes, at once; there for all to see after fence().
  void copy(const std::byte* from, std::byte* to, std::size_t bytes) const noexcept;
  /// All blocks are put out, there for all to see.
  void done(Scratch& scratch) const noexcept;
  void fence() const noexcept;

 private:
  struct Gathering;  // a block on its way into the scratch
  void gather(const Gathering& block, const std::byte* from) const noexcept;
  void gather_tiles(const Gathering& block, const std::byte* from) const noexcept;
  void cut_columns(const Gathering& block, const std::byte* from) const noexcept;
  void put_out(const Gathering& block, std::byte* to) const noexcept;
  std::uint64_t apart(std::uint64_t elements, std::uint64_t count, bool follow) const noexcept;

  Layout from_;
  Layout to_;
  std::size_t width_;  // bytes of an element
  bool past_caches_;
  const LayoutKernels* kernels_;
  LayoutKernels::Transpose transpose_;
};

}  // namespace nodewise
