// The means of batches so short that beginning and ending each of them would cost more than reading it.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"

namespace nodewise {

/// Means of a group of batches at once, exact as those of FloatSum and IntegerSum: under the inexact flag the
/// sums of a whole group are computed plainly, or, where that rounds, as two sums of half significands each.
/// What neither can tell is left to the caller. Every call must be under a base::FpGuard. Thread class:
/// value.
class ShortBatches {
 public:
  static constexpr std::uint64_t most_elements = 1024;  ///< From here on FloatSum has means as fast.
  static constexpr std::size_t most_batches = 4096;     ///< Of one group.

  /// Precondition: 0 < batch_elements, and they are at most 256 KiB.
  ShortBatches(DType dtype, std::uint64_t batch_elements, const KernelSet& kernels) noexcept;

  /// Batches of a group.
  std::size_t group() const noexcept { return group_; }
  /// The means of `batches` that follow one another, NaN for those that this way cannot tell; whether all are
  /// told. Precondition: batches <= group().
  bool means(const std::byte* data, std::size_t batches, double* values) noexcept;
  /// The sums of `batches` batches, each as the exact sum of two doubles; not finite where an element is not.
  /// Returns false where this way cannot compute them. Precondition: as of means().
  bool sums(const std::byte* data, std::size_t batches, double* upper, double* lower) noexcept;

 private:
  enum Way : unsigned { plain, halves, none };
  enum class Told { all, some, nothing };

  template <class Try>
  Told by_ways(Try try_way) noexcept;
  bool sum_by(unsigned way, const std::byte* data, std::size_t batches, double* upper,
              double* lower) const noexcept;
  Told try_way(unsigned way, const std::byte* data, std::size_t batches, double* values) const noexcept;
  bool divide_sums(double* sums, std::size_t batches) const noexcept;
  bool divide_pairs(double* upper, const double* lower, std::size_t batches) const noexcept;

  const ShortKernels* kernels_;
  std::size_t type_;  // as ShortKernels counts them
  std::size_t elements_;
  std::size_t group_ = 0;
  double unit_;
  unsigned way_ = plain;
  unsigned groups_here_ = 0;  // since this way was taken, or the easiest one tried
  unsigned patience_ = 4;     // groups until the easiest one is tried again
};

}  // namespace nodewise
