// The exact sum of integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"
#include "means/exact_sum.hpp"

namespace nodewise {

/// Adds up integers of one type, exactly. Precondition: fewer than 2^63 elements in
/// all, which it would take a counter to check. Thread class: value.
class IntegerSum {
 public:
  IntegerSum(DType dtype, const KernelSet& kernels) noexcept;

  void add(const std::byte* data, std::uint64_t count) noexcept;
  /// The mean of what was added, `count` elements; then begins anew. Precondition: count > 0.
  double take_mean(std::uint64_t count) noexcept;
  /// What was added; then begins anew.
  ExactSum take_sum() noexcept;
  Int128 take_total() noexcept;

 private:
  MeansKernels::SumIntegers sum_;
  std::size_t element_bytes_;
  std::uint64_t flip_ =
      0;  // signed elements: the sign bit of each, so that `x ^ flip_` is `x - least_` as an unsigned number;
  std::int64_t least_ = 0;  // the least element; add() restores count × least_
  Int128 total_ = 0;
};

}  // namespace nodewise
