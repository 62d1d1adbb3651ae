// How columns are added to the sums of their features.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <nodewise/dtype.hpp>

#include "features/sums.hpp"
#include "kernels/set.hpp"
#include "means/float_sum.hpp"
#include "means/integer_sum.hpp"
#include "means/short_batches.hpp"

namespace nodewise {

/// Adds columns to the sums of their features, at the speed of memory where the data allow it. Every call
/// must be under a base::FpGuard. Thread class: value.
class ColumnAdder {
 public:
  ColumnAdder(DType dtype, const KernelSet& kernels, FeatureSums& sums);

  /// `cols` columns of `rows` elements each, one after the other: those of feature `first` and the next.
  void add(const std::byte* data, std::uint64_t rows, std::uint64_t first, std::uint64_t cols);

 private:
  void add_group(const std::byte* data, std::uint64_t rows, std::uint64_t first, std::size_t cols);
  void add_column(const std::byte* data, std::uint64_t rows, std::uint64_t feature);

  DType dtype_;
  const KernelSet* kernels_;
  FeatureSums* sums_;
  std::unique_ptr<FloatSum> float_sum_;  // one of these two, by the type; this one is large
  std::optional<IntegerSum> integer_sum_;
  ShortBatches short_columns_;
  std::uint64_t short_rows_ = 1;  // of those
  std::vector<double> upper_, lower_;
};

}  // namespace nodewise
