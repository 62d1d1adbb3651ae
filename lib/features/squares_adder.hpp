// How the squared differences of columns from the means of their features are added up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <nodewise/dtype.hpp>

#include "features/column_adder.hpp"
#include "features/sums.hpp"
#include "kernels/set.hpp"

namespace nodewise {

/// Every call must be under a base::FpGuard. Thread class: one thread.
class SquaresAdder {
 public:
  /// `means`: one for each feature of `sums`. Both must outlive this.
  SquaresAdder(DType dtype, const double* means, std::uint64_t features, const KernelSet& kernels,
               FeatureSums& sums);

  /// `cols` columns of `rows` elements each, one after the other: those of feature `first` and the next.
  void add(const std::byte* columns, std::uint64_t rows, std::uint64_t first, std::uint64_t cols);
  /// To the sums, what is still in lanes.
  void finish();

 private:
  static constexpr std::uint64_t squares_at_once = 2048;

  void add_piece(const std::byte* elements, std::uint64_t count, std::uint64_t feature);
  void empty_lanes(std::uint64_t feature);

  DType dtype_;
  std::size_t width_;
  const double* means_;
  std::uint64_t features_;
  const SquaresKernels& kernels_;
  FeatureSums& sums_;
  ColumnAdder adder_;            // of squares that the kernel cannot add
  std::vector<double> lanes_;    // those that the kernel adds to, feature after feature
  std::vector<double> squares_;  // that it cannot add
};

}  // namespace nodewise
