// The means of batches that are so short that beginning and ending each one would cost more than reading it.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"

namespace nodewise {

/// Computes the means of a group of batches at once; they are as exact as those of FloatSum and IntegerSum.
/// First it adds the elements of the whole group as plain doubles. If the inexact flag shows that this was
/// rounded, it adds the upper and lower halves of significands separately. The caller must compute what
/// neither way can. Precondition of every call: there is a base::FpGuard. Thread class: value.
class ShortBatches {
 public:
  static constexpr std::uint64_t most_elements = 1024;  ///< From this length on, FloatSum is as fast.
  static constexpr std::size_t most_batches = 4096;     ///< The most batches of a group.

  /// Preconditions: 0 < batch_elements; a batch has at most 256 KiB.
  ShortBatches(DType dtype, std::uint64_t batch_elements, const KernelSet& kernels) noexcept;

  /// The number of batches of a group.
  std::size_t group() const noexcept { return group_; }
  /// Computes the means of `batches` batches that follow one another, and returns whether it could compute
  /// all of them. A mean that it could not compute is NaN. Precondition: batches <= group().
  bool means(const std::byte* data, std::size_t batches, double* values) noexcept;
  /// Computes the sums of `batches` batches, each as two doubles whose exact sum it is. A sum is not finite
  /// if an element is not. Returns false if it cannot compute them. Precondition: as for means().
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
  std::size_t type_;  // the element type, as an index into ShortKernels
  std::size_t elements_;
  std::size_t group_ = 0;
  double unit_;
  unsigned way_ = plain;
  unsigned groups_here_ = 0;  // since this way was taken, or the easiest one was tried
  unsigned patience_ = 4;     // the number of groups until the easiest way is tried again
};

}  // namespace nodewise
