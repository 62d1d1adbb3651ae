// Adds columns to the sums of their features.
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

/// Adds columns to the sums of their features, at the speed of memory if the data allow it. Precondition of
/// every call: there is a base::FpGuard. Thread class: value.
class ColumnAdder {
 public:
  ColumnAdder(DType dtype, const KernelSet& kernels, FeatureSums& sums);

  /// Adds `cols` columns, which follow one another and have `rows` elements each, to the sums of feature
  /// `first` and the following ones.
  void add(const std::byte* data, std::uint64_t rows, std::uint64_t first, std::uint64_t cols);

 private:
  void add_group(const std::byte* data, std::uint64_t rows, std::uint64_t first, std::size_t cols);
  void add_column(const std::byte* data, std::uint64_t rows, std::uint64_t feature);

  DType dtype_;
  const KernelSet* kernels_;
  FeatureSums* sums_;
  std::unique_ptr<FloatSum> float_sum_;  // one of these two is used, depending on the type; this one is large
  std::optional<IntegerSum> integer_sum_;
  ShortBatches short_columns_;
  std::uint64_t short_rows_ = 1;  // the number of rows that short_columns_ was made for
  std::vector<double> upper_, lower_;
};

}  // namespace nodewise
