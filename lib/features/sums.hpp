// Exact sums, one for each feature, and how columns are added to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"
#include "means/exact_sum.hpp"
#include "means/float_sum.hpp"
#include "means/integer_sum.hpp"
#include "means/short_batches.hpp"

namespace nodewise {

/// A sum is two doubles that are to be added, and for the few features that they cannot hold an ExactSum
/// besides. Every call must be under a base::FpGuard. Thread class: value.
class FeatureSums {
 public:
  explicit FeatureSums(std::uint64_t features = 0) : high_(features), low_(features) {}

  /// terms[i] to the sum of feature first + i.
  void add(std::uint64_t first, const double* terms, std::size_t count);
  void add(std::uint64_t feature, double term);
  void add(std::uint64_t feature, Int128 term);
  void add(std::uint64_t feature, const ExactSum& sum);
  void add(const FeatureSums& other);
  /// The sum divided by `count`, rounded once. Precondition: count > 0.
  double divided(std::uint64_t feature, std::uint64_t count) const;

 private:
  std::vector<double> high_;
  std::vector<double> low_;
  std::map<std::uint64_t, ExactSum> rest_;
};

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
