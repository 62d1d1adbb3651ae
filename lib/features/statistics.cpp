#include <nodewise/feature_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/fp_guard.hpp"
#include "features/pass.hpp"
#include "kernels/dispatch.hpp"
#include "layout/blocks.hpp"
#include "team/run.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

constexpr std::uint64_t block_bytes = std::uint64_t{256} << 10;
constexpr std::uint64_t long_column_bytes = std::uint64_t{1} << 20;
constexpr std::uint64_t columns_beside = 4096;

}  // namespace

// Blocks that are columns already, one after the other; or, of rows, that are turned into such at once.
BlockShape FeaturePass::shape(Layout layout, std::uint64_t rows, std::uint64_t cols, std::size_t width) {
  if (layout == Layout::tiles) return {tile_rows, std::min(cols, columns_beside)};
  if (layout == Layout::rows)
    return {std::min(rows, turned_column_bytes / width), std::min(cols, turned_row_bytes / width)};
  if (rows * width > long_column_bytes) return {long_column_bytes / width, 1};
  return {rows, std::clamp<std::uint64_t>(block_bytes / (rows * width), 1, cols)};
}

LayoutBlocks::Order FeaturePass::order(Layout layout) {
  return layout == Layout::tiles ? LayoutBlocks::Order::along_rows : LayoutBlocks::Order::down_columns;
}

FeaturePass::FeaturePass(Layout layout, DType dtype, std::uint64_t features, const double* means,
                         const KernelSet& kernels)
    : layout_(layout),
      dtype_(dtype),
      width_(dtype_bytes(dtype)),
      features_(features),
      means_(means),
      kernels_(kernels),
      sums_(features),
      adder_(means == nullptr ? dtype : DType::f64, kernels, sums_),
      turned_(layout == Layout::rows ? turned_column_bytes * turned_row_bytes / width_ : 0),
      lanes_(means == nullptr ? 0 : 2 * kernels.squares->lanes * features),
      squares_(means == nullptr ? 0 : squares_at_once) {}

void FeaturePass::add(const LayoutBlock& block, const std::byte* batch) {
  const std::uint64_t height = block.rows.size(), width = block.cols.size();
  if (height == 0 || width == 0) return;
  const std::uint64_t row = block.rows.begin, col = block.cols.begin;
  const std::byte* columns = nullptr;
  if (layout_ == Layout::columns) {
    columns = batch + (col * block.batch_rows + row) * width_;
  } else if (layout_ == Layout::tiles) {
    columns = batch + (row * features_ + col * height) * width_;
  } else {
    LayoutRuns nothing;
    const auto transpose = kernels_.layouts->transpose[std::countr_zero(width_)];
    transpose(batch + (row * features_ + col) * width_, features_, turned_.data(), height, height, width,
              nothing, false);
    columns = turned_.data();
  }
  if (means_ == nullptr)
    adder_.add(columns, height, col, width);
  else
    add_squares(columns, height, col, width);
}

// Of a feature that has no mean there is no variance either. By pieces, so that little is done again where
// two doubles do not hold a sum.
void FeaturePass::add_squares(const std::byte* columns, std::uint64_t rows, std::uint64_t first,
                              std::uint64_t cols) {
  for (std::uint64_t i = 0; i < cols; ++i)
    for (std::uint64_t row = 0; row < rows && std::isfinite(means_[first + i]); row += squares_at_once)
      add_piece(columns + (i * rows + row) * width_, std::min(rows - row, squares_at_once), first + i);
}

void FeaturePass::add_piece(const std::byte* elements, std::uint64_t count, std::uint64_t feature) {
  const SquaresKernels& kernels = *kernels_.squares;
  const auto type = static_cast<std::size_t>(dtype_);
  const double mean = means_[feature];
  double* const lanes = &lanes_[2 * kernels.lanes * feature];
  if (kernels.add[type](elements, count, mean, lanes)) return;
  empty_lanes(feature);  // one small square is in the way of many large ones
  if (kernels.add[type](elements, count, mean, lanes)) return;
  kernels.squares[type](elements, count, mean, squares_.data());
  adder_.add(reinterpret_cast<const std::byte*>(squares_.data()), count, feature, 1);
}

void FeaturePass::empty_lanes(std::uint64_t feature) {
  const std::size_t each = 2 * kernels_.squares->lanes;
  for (std::size_t i = each * feature; i < each * (feature + 1); ++i)
    if (const double sum = std::exchange(lanes_[i], 0.0); sum != 0) sums_.add(feature, sum);
}

FeatureSums FeaturePass::take() {
  if (means_ != nullptr)
    for (std::uint64_t feature = 0; feature < features_; ++feature) empty_lanes(feature);
  return std::move(sums_);
}

FeatureSums feature_sums(const Buffer& buffer, const Team& team, Layout layout, const double* means,
                         const KernelSet& kernels) {
  const Plan& plan = buffer.plan();
  const std::uint64_t cols = plan.dataset().shape().features;
  FeatureSums all(cols);
  if (plan.dataset().total_bytes() == 0) return all;
  const std::uint64_t rows = plan.dataset().most_batch_rows();
  const BlockShape shape = FeaturePass::shape(layout, rows, cols, dtype_bytes(plan.dataset().dtype()));
  const LayoutBlocks blocks(plan, shape, FeaturePass::order(layout));
  const std::uint64_t batch_bytes = plan.dataset().most_batch_bytes();
  WorkShares shares(team);
  blocks.give(plan, team, shares);
  std::vector<FeatureSums> sums(team.workers().size());
  run_team(team, [&](unsigned worker, bool own_threads) {
    const FpGuard guard;
    FeaturePass pass(layout, plan.dataset().dtype(), cols, means, kernels);
    while (const auto piece = shares.take(worker, own_threads))
      for (std::uint64_t number = piece->units.begin; number < piece->units.end; ++number) {
        const LayoutBlock block = blocks.block(number);
        pass.add(block, buffer.data() + block.batch * batch_bytes);
      }
    sums[worker] = pass.take();
  });
  const FpGuard guard;
  for (const FeatureSums& some : sums) all.add(some);
  return all;
}

std::vector<double> feature_means_with(const KernelSet& kernels, const Buffer& buffer, const Team& team,
                                       Layout layout) {
  const FeatureSums sums = feature_sums(buffer, team, layout, nullptr, kernels);
  const std::uint64_t samples = buffer.plan().dataset().shape().samples;
  std::vector<double> means(buffer.plan().dataset().shape().features, canonical_nan());
  const FpGuard guard;
  for (std::size_t i = 0; i < means.size() && samples > 0; ++i) means[i] = sums.divided(i, samples);
  return means;
}

FeatureStatistics feature_statistics_with(const KernelSet& kernels, const Buffer& buffer, const Team& team,
                                          Layout layout, std::uint64_t ddof) {
  FeatureStatistics statistics{feature_means_with(kernels, buffer, team, layout), {}};
  const std::vector<double>& means = statistics.means;
  statistics.variances.assign(means.size(), canonical_nan());
  const std::uint64_t samples = buffer.plan().dataset().shape().samples;
  if (samples <= ddof) return statistics;
  const FeatureSums sums = feature_sums(buffer, team, layout, means.data(), kernels);
  const FpGuard guard;
  for (std::size_t i = 0; i < means.size(); ++i)
    if (std::isfinite(means[i])) statistics.variances[i] = sums.divided(i, samples - ddof);
  return statistics;
}

std::vector<double> feature_means(const Buffer& buffer, const Team& team, Layout layout) {
  return feature_means_with(best_kernels(), buffer, team, layout);
}

FeatureStatistics feature_statistics(const Buffer& buffer, const Team& team, Layout layout,
                                     std::uint64_t ddof) {
  return feature_statistics_with(best_kernels(), buffer, team, layout, ddof);
}

}  // namespace nodewise
