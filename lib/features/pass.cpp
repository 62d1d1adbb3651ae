#include "features/pass.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/fp_guard.hpp"
#include "batches/rounds.hpp"
#include "features/block_columns.hpp"
#include "features/column_adder.hpp"
#include "features/squares_adder.hpp"
#include "layout/blocks.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

// What one worker adds up in all rounds. Precondition of every call: there is a FpGuard.
class WorkerPass {
 public:
  WorkerPass(const Dataset& dataset, Layout layout, const double* means, const KernelSet& kernels)
      : columns_(layout, dtype_bytes(dataset.dtype()), dataset.shape().features, *kernels.layouts),
        sums_(dataset.shape().features) {
    if (means == nullptr)
      elements_.emplace(dataset.dtype(), kernels, sums_);
    else
      squares_.emplace(dataset.dtype(), means, dataset.shape().features, kernels, sums_);
  }
  WorkerPass(const WorkerPass&) = delete;
  WorkerPass& operator=(const WorkerPass&) = delete;

  void add(const LayoutBlock& block, const std::byte* batch) {
    const std::uint64_t rows = block.rows.size(), cols = block.cols.size();
    if (rows == 0 || cols == 0) return;
    const std::byte* const columns = columns_.of(block, batch);
    if (elements_)
      elements_->add(columns, rows, block.cols.begin, cols);
    else
      squares_->add(columns, rows, block.cols.begin, cols);
  }

  const FeatureSums& finish() {
    if (squares_) squares_->finish();
    return sums_;
  }

 private:
  BlockColumns columns_;
  FeatureSums sums_;
  std::optional<ColumnAdder> elements_;  // one of these two is used
  std::optional<SquaresAdder> squares_;
};

// Gives the blocks of a round to the workers that read them. Blocks are numbered as in the whole dataset.
void give_blocks(std::span<const BatchLease> runs, const Team& team, const LayoutBlocks& blocks,
                 WorkShares& shares) {
  const std::uint64_t per_batch = blocks.per_batch();
  const auto blocks_of = [per_batch](const BatchLease& run) { return run.batches().count() * per_batch; };
  for (const RunPart& part : divide_round(runs, team, blocks_of)) {
    const std::uint64_t first = runs[part.run].batches().start * per_batch;
    shares.give(part.worker, part.run, {first + part.units.begin, first + part.units.end},
                std::max<std::uint64_t>(part.units.size() / pieces_to_steal, 1));
  }
}

}  // namespace

PassSums sum_features(BatchStream& stream, const Team& team, const double* means, const KernelSet& kernels,
                      const char* call) {
  const Layout layout = stream.layout();
  const Dataset& dataset = stream.dataset();
  const std::uint64_t cols = dataset.shape().features, batch_bytes = dataset.most_batch_bytes();
  PassSums all{FeatureSums(cols), 0};
  if (dataset.total_bytes() == 0) return all;
  const BlockShape shape =
      BlockColumns::shape(layout, dataset.most_batch_rows(), cols, dtype_bytes(dataset.dtype()));
  const LayoutBlocks blocks(dataset, shape, BlockColumns::order(layout));
  std::vector<std::unique_ptr<WorkerPass>> passes(team.workers().size());
  StreamRounds rounds(stream, call);
  for (auto runs = rounds.next(); !runs.empty(); runs = rounds.next()) {
    WorkShares shares(team);
    give_blocks(runs, team, blocks, shares);
    run_team(team, [&](unsigned worker, bool own_threads) {
      const FpGuard guard;
      std::unique_ptr<WorkerPass>& pass = passes[worker];
      if (!pass) pass = std::make_unique<WorkerPass>(dataset, layout, means, kernels);
      while (const auto piece = shares.take(worker, own_threads)) {
        const BatchLease& run = runs[piece->group];
        for (std::uint64_t number = piece->units.begin; number < piece->units.end; ++number) {
          const LayoutBlock block = blocks.block(number);
          pass->add(block, run.data() + (block.batch - run.batches().start) * batch_bytes);
        }
      }
    });
    for (const BatchLease& run : runs) all.samples += dataset.rows(run.batches()).count();
  }
  const FpGuard guard;
  for (const auto& pass : passes)
    if (pass) all.sums.add(pass->finish());
  return all;
}

}  // namespace nodewise
