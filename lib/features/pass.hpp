// One worker's pass over its part of the data: sums of each feature, or of its squared differences from a
// mean.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <nodewise/feature_statistics.hpp>

#include "features/sums.hpp"
#include "kernels/set.hpp"
#include "layout/blocks.hpp"

namespace nodewise {

/// Every call must be under a base::FpGuard. Thread class: one thread.
class FeaturePass {
 public:
  /// Blocks that suit a layout of batches of this shape, and the order in which they suit it.
  static BlockShape shape(Layout layout, std::uint64_t rows, std::uint64_t cols, std::size_t element_bytes);
  static LayoutBlocks::Order order(Layout layout);

  /// `means`: of the features, which must outlive this; null to add the elements themselves.
  FeaturePass(Layout layout, DType dtype, std::uint64_t features, const double* means,
              const KernelSet& kernels);
  FeaturePass(const FeaturePass&) = delete;
  FeaturePass& operator=(const FeaturePass&) = delete;

  /// Precondition: `block` has the shape that shape() gave, or less at an edge.
  void add(const LayoutBlock& block, const std::byte* batch);
  FeatureSums take();

 private:
  // Of blocks of rows: columns are an odd number of cache lines, so that they do not share too few sets of
  // the cache while they are written; together they fit the second cache.
  static constexpr std::uint64_t turned_column_bytes = 7 * 64;
  static constexpr std::uint64_t turned_row_bytes = 1024;
  static constexpr std::uint64_t squares_at_once = 2048;

  void add_squares(const std::byte* columns, std::uint64_t rows, std::uint64_t first, std::uint64_t cols);
  void empty_lanes(std::uint64_t feature);
  void add_piece(const std::byte* elements, std::uint64_t count, std::uint64_t feature);

  Layout layout_;
  DType dtype_;
  std::size_t width_;
  std::uint64_t features_;
  const double* means_;
  KernelSet kernels_;
  FeatureSums sums_;
  ColumnAdder adder_;
  std::vector<std::byte> turned_;
  std::vector<double> lanes_;    // of squares: those that the kernel adds to, feature after feature
  std::vector<double> squares_;  // that it cannot add
};

/// As feature_means() and feature_statistics(), by `kernels`. Precondition: this processor can run them.
std::vector<double> feature_means_with(const KernelSet& kernels, const Buffer& buffer, const Team& team,
                                       Layout layout);
FeatureStatistics feature_statistics_with(const KernelSet& kernels, const Buffer& buffer, const Team& team,
                                          Layout layout, std::uint64_t ddof);

}  // namespace nodewise
