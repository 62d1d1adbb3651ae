// The inner loop of variances. Like kernels/means.hpp, this header includes nothing that has code.
#pragma once

#include <stddef.h>

#include <nodewise/dtype.hpp>

namespace nodewise {

/// (element - mean)^2, where the element, the difference and the square are each rounded to double. It is
/// meaningless for elements that are not finite.
struct SquaresKernels {
  /// squares[i] = the square for element i.
  using Squares = void (*)(const void* data, size_t count, double mean, double* squares);
  Squares squares[dtype_count];  ///< By DType.

  /// Adds the squares to sums of two doubles each; those of lane i are sums[i] and sums[lanes + i]. Returns
  /// whether this was exact. If it was not, the sums do not change.
  using Add = bool (*)(const void* data, size_t count, double mean, double* sums);
  Add add[dtype_count];  ///< By DType.
  size_t lanes;
};

}  // namespace nodewise
