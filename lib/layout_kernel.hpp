// The inner loops of conversions between layouts. As means_kernel.hpp, it brings in nothing that has code.
#pragma once

#include <stddef.h>

namespace nodewise {

/// Loops that move elements without looking at them. Strides are in elements, or, of runs, in bytes.
struct LayoutKernels {
  /// to[col * to_stride + row] = from[row * from_stride + col]. Reads some rows ahead. Preconditions: both
  /// are aligned to an element and do not overlap.
  using Transpose = void (*)(const void* from, size_t from_stride, void* to, size_t to_stride, size_t rows,
                             size_t cols);
  Transpose transpose[4];  ///< By the binary logarithm of an element's bytes.

  /// Copies `count` runs of `bytes` each, to and from any address.
  using CopyRuns = void (*)(const void* from, size_t from_stride, void* to, size_t to_stride, size_t bytes,
                            size_t count);
  CopyRuns copy_runs;
  /// The same past the caches: whole lines are not read before they are written. Others see what was written
  /// only after fence().
  CopyRuns stream_runs;
  void (*fence)();
};

#if defined(__x86_64__)
namespace avx512 {
extern const LayoutKernels layout_kernels;
}
namespace avx2 {
extern const LayoutKernels layout_kernels;
}
#endif
namespace baseline {
extern const LayoutKernels layout_kernels;
}

}  // namespace nodewise
