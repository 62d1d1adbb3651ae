// The inner loops of the means of short batches. Like kernels/means.hpp, this header includes nothing that
// has code; it uses only the number of element types.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <nodewise/dtype.hpp>

namespace nodewise {

/// Loops over batches of equal length, which follow one another at any address. The sum of a batch is a
/// double. As in MeansKernels, it is used only if no addition was rounded (base::FpGuard::inexact).
struct ShortKernels {
  double units[dtype_count];  ///< By DType: what a value of 1 means in the sums.

  /// sums[i] = the sum of the `elements` elements of batch i. Returns false if an f16 is an infinity or NaN;
  /// the sums are then meaningless. Null if the element type has no such sum.
  using Sums = bool (*)(const void* data, size_t elements, size_t batches, double* sums);
  Sums sums[dtype_count];  ///< By DType.
  /// The same for the upper and the lower halves of significands, separately.
  using HalfSums = bool (*)(const void* data, size_t elements, size_t batches, double* upper, double* lower);
  HalfSums half_sums[dtype_count];

  /// sums[i] = sums[i] * factor, or NaN if the sum is not finite. Returns whether all are finite. A zero is
  /// +0.
  bool (*scale)(double* sums, size_t count, double factor);
  /// The same for sums[i] * unit / divisor.
  bool (*divide)(double* sums, size_t count, double unit, double divisor);

  /// upper[i] = (upper[i] + lower[i]) / divisor, rounded once, or NaN if this is not certain (see divide() in
  /// exact_sum.hpp). Returns whether all are certain. Null if the instruction set has no fused multiply-add.
  bool (*divide_pairs)(double* upper, const double* lower, size_t count, double divisor, bool power_of_two);
};

}  // namespace nodewise
