// The inner loops of the means of short batches. As kernels/means.hpp, it brings in nothing that has
// code: of the element types it uses the number alone.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <nodewise/dtype.hpp>

namespace nodewise {

/// Loops over batches of equal length that follow one another, at any address. A batch's sum is a double of
/// its own; as in MeansKernels, it counts only if no addition was rounded (base::FpGuard::inexact).
struct ShortKernels {
  double units[dtype_count];  ///< By DType: what 1 means in the sums.

  /// sums[i] = sum of the `elements` elements of batch i; false says that there is an f16 which is an
  /// infinity or NaN, and the sums are meaningless. Null where the element type has no such sum.
  using Sums = bool (*)(const void* data, size_t elements, size_t batches, double* sums);
  Sums sums[dtype_count];  ///< By DType.
  /// The same for the upper and the lower halves of significands, apart.
  using HalfSums = bool (*)(const void* data, size_t elements, size_t batches, double* upper, double* lower);
  HalfSums half_sums[dtype_count];

  /// sums[i] = sums[i] * factor, NaN where the sum is not finite; whether all are. A zero is +0.
  bool (*scale)(double* sums, size_t count, double factor);
  /// The same of sums[i] * unit / divisor.
  bool (*divide)(double* sums, size_t count, double unit, double divisor);

  /// upper[i] = (upper[i] + lower[i]) / divisor, rounded once, or NaN where that is not certain (see divide()
  /// of exact_sum.hpp); whether all are. Null where the instruction set has no fused multiply-add.
  bool (*divide_pairs)(double* upper, const double* lower, size_t count, double divisor, bool power_of_two);
};

}  // namespace nodewise
