// Adds the squared differences of columns from the means of their features.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <nodewise/dtype.hpp>

#include "features/column_adder.hpp"
#include "features/sums.hpp"
#include "kernels/set.hpp"

namespace nodewise {

/// Precondition of every call: there is a base::FpGuard. Thread class: one thread.
class SquaresAdder {
 public:
  /// `means` has one element for each feature of `sums`. Precondition: both outlive this.
  SquaresAdder(DType dtype, const double* means, std::uint64_t features, const KernelSet& kernels,
               FeatureSums& sums);

  /// Adds `cols` columns, which follow one another and have `rows` elements each, for feature `first` and the
  /// following ones.
  void add(const std::byte* columns, std::uint64_t rows, std::uint64_t first, std::uint64_t cols);
  /// Adds what is still in lanes to the sums.
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
  ColumnAdder adder_;            // adds squares that the kernel cannot add
  std::vector<double> lanes_;    // the lanes to which the kernel adds, one feature after the other
  std::vector<double> squares_;  // squares that the kernel cannot add
};

}  // namespace nodewise
