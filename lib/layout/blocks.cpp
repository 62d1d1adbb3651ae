#include "layout/blocks.hpp"

#include <algorithm>

#include <nodewise/expects.hpp>

namespace nodewise {
namespace {

std::uint64_t ratio_up(std::uint64_t a, std::uint64_t b) {
  NODEWISE_EXPECTS(b > 0);
  return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace

LayoutBlocks::LayoutBlocks(const Dataset& dataset, BlockShape shape, Order order)
    : samples_(dataset.shape().samples),
      batch_size_(std::max<std::uint64_t>(dataset.most_batch_rows(), 1)),
      features_(dataset.shape().features),
      shape_(shape),
      order_(order),
      down_(ratio_up(batch_size_, shape.rows)),
      across_(ratio_up(features_, shape.cols)) {}

void LayoutBlocks::give(const Plan& plan, const Team& team, WorkShares& shares) const {
  give_units(plan, team, per_batch(), shares);
}

LayoutBlock LayoutBlocks::block(std::uint64_t number) const {
  LayoutBlock block;
  block.batch = number / per_batch();
  const std::uint64_t in_batch = number - block.batch * per_batch();
  const bool down = order_ == Order::down_columns;
  const std::uint64_t inner = down ? down_ : across_;
  const std::uint64_t outer_place = in_batch / inner;
  const std::uint64_t inner_place = in_batch - outer_place * inner;
  const auto part = [](std::uint64_t place, std::uint64_t size, std::uint64_t all) {
    return base::Range{std::min(place * size, all), std::min((place + 1) * size, all)};
  };
  block.batch_rows = std::min(batch_size_, samples_ - block.batch * batch_size_);
  block.rows = part(down ? inner_place : outer_place, shape_.rows, block.batch_rows);
  block.cols = part(down ? outer_place : inner_place, shape_.cols, features_);
  return block;
}

std::vector<unsigned> give_units(const Plan& plan, const Team& team, std::uint64_t per_batch,
                                 WorkShares& shares) {
  std::vector<unsigned> given;
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const BatchRange batches = plan.shards()[shard].batches;
    const std::uint64_t first = batches.start * per_batch;
    const auto readers = team.readers(plan, shard);
    for (std::size_t i = 0; i < readers.size(); ++i) {
      const auto part = base::split(batches.count() * per_batch, readers.size(), i);
      if (part.size() == 0) continue;
      shares.give(readers[i], shard, {first + part.begin, first + part.end},
                  std::max<std::uint64_t>(part.size() / pieces_to_steal, 1));
      if (std::find(given.begin(), given.end(), readers[i]) == given.end()) given.push_back(readers[i]);
    }
  }
  return given;
}

}  // namespace nodewise
