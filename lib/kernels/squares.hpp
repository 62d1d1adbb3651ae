// The inner loop of variances. As kernels/means.hpp, it brings in nothing that has code.
#pragma once

#include <stddef.h>

#include <nodewise/dtype.hpp>

namespace nodewise {

/// (element - mean)^2: the element, the difference and the square each rounded to double. Meaningless for
/// elements that are not finite.
struct SquaresKernels {
  /// squares[i] = that of element i.
  using Squares = void (*)(const void* data, size_t count, double mean, double* squares);
  Squares squares[dtype_count];  ///< By DType.

  /// Adds the squares to sums of two doubles each: of lane i sums[i] and sums[lanes + i]. Whether that was
  /// exact; if not, the sums are as before.
  using Add = bool (*)(const void* data, size_t count, double mean, double* sums);
  Add add[dtype_count];  ///< By DType.
  size_t lanes;
};

}  // namespace nodewise
