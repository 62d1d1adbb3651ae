// The inner loops of conversions between layouts. As kernels/means.hpp, it brings in nothing that has code.
#pragma once

#include <stddef.h>

namespace nodewise {

/// Runs of bytes that are to be copied, bit by bit, while something else is read: memory that reads and
/// writes by turns does either only half of the time. Strides in bytes.
struct LayoutRuns {
  const char* from = nullptr;
  size_t from_stride = 0;
  char* to = nullptr;
  size_t to_stride = 0;
  size_t bytes = 0;   ///< Of each run.
  size_t count = 0;   ///< Runs that are not yet copied, the one begun included.
  size_t done = 0;    ///< Bytes of that one that are copied.
  size_t credit = 0;  ///< Bytes that have been read meanwhile and not yet been paid for by copying.
};

/// Loops that move elements without looking at them. While they read they copy as many bytes of `meanwhile`,
/// past the caches (`past_caches`: then lines are not read before they are written, and others see what was
/// written only after fence()), or not.
struct LayoutKernels {
  /// to[col * to_stride + row] = from[row * from_stride + col], strides in elements. Reads some rows ahead.
  /// Preconditions, to which callers see: both are aligned to an element and do not overlap.
  using Transpose = void (*)(const void* from, size_t from_stride, void* to, size_t to_stride, size_t rows,
                             size_t cols, LayoutRuns& meanwhile, bool past_caches);
  Transpose transpose[4];  ///< By the binary logarithm of an element's bytes.

  /// Copies `count` runs of `bytes` each, to and from any address; strides in bytes. What is `ahead` bytes
  /// further on will be read soon.
  using Gather = void (*)(const void* from, size_t from_stride, void* to, size_t to_stride, size_t bytes,
                          size_t count, size_t ahead, LayoutRuns& meanwhile, bool past_caches);
  Gather gather;

  /// Copies what is left of `runs`.
  void (*finish)(LayoutRuns& runs, bool past_caches);
  void (*fence)();
};

}  // namespace nodewise
