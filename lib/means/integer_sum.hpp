// The exact sum of integers.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"
#include "means/exact_sum.hpp"

namespace nodewise {

/// Adds integers of one type exactly. Precondition, which is not checked: fewer than 2^63 elements in all.
/// Thread class: value.
class IntegerSum {
 public:
  IntegerSum(DType dtype, const KernelSet& kernels) noexcept;

  void add(const std::byte* data, std::uint64_t count) noexcept;
  /// The mean of the `count` elements that were added. The sum is then empty. Precondition: count > 0.
  double take_mean(std::uint64_t count) noexcept;
  /// The sum of what was added. The sum is then empty.
  ExactSum take_sum() noexcept;
  Int128 take_total() noexcept;

 private:
  MeansKernels::SumIntegers sum_;
  std::size_t element_bytes_;
  // For signed elements, the sign bit of each of them: `x ^ flip_` is then `x - least_` as an unsigned
  // number.
  std::uint64_t flip_ = 0;
  std::int64_t least_ = 0;  // the least element; add() restores count × least_
  Int128 total_ = 0;
};

}  // namespace nodewise
