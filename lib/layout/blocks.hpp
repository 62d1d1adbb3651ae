// The units of work on layouts: a block is some rows and columns of a batch.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/layout.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/team.hpp>

#include "base/checked.hpp"
#include "team/shares.hpp"

namespace nodewise {

/// A part of a batch. It is empty if a short last batch does not have this part.
struct LayoutBlock {
  std::uint64_t batch = 0;
  std::uint64_t batch_rows = 0;
  base::Range rows;
  base::Range cols;
};

struct BlockShape {
  std::uint64_t rows = 1;
  std::uint64_t cols = 1;
};

/// All blocks of all batches, numbered batch after batch, and inside a batch down the columns or along the
/// rows. Thread class: immutable.
class LayoutBlocks {
 public:
  enum class Order { down_columns, along_rows };
  /// Precondition: neither side of `shape` is 0.
  LayoutBlocks(const Dataset& dataset, BlockShape shape, Order order);

  std::uint64_t per_batch() const noexcept { return down_ * across_; }
  /// Divides the blocks of each shard evenly among the workers of `team` that read it. Long batches are
  /// divided too.
  void give(const Plan& plan, const Team& team, WorkShares& shares) const;
  LayoutBlock block(std::uint64_t number) const;

 private:
  std::uint64_t samples_;
  std::uint64_t batch_size_;
  std::uint64_t features_;
  BlockShape shape_;
  Order order_;
  std::uint64_t down_;    // the number of blocks from top to bottom of a batch
  std::uint64_t across_;  // the number of blocks from left to right
};

/// Gives the `per_batch` units of each batch to workers that read the batch; unit i belongs to batch
/// i / per_batch. Returns the workers that got units.
std::vector<unsigned> give_units(const Plan& plan, const Team& team, std::uint64_t per_batch,
                                 WorkShares& shares);

}  // namespace nodewise
