// The inner loops of conversions between layouts. Like kernels/means.hpp, this header includes nothing that
// has code.
#pragma once

#include <stddef.h>

namespace nodewise {

/// Runs of bytes that are copied little by little while other data is read: if memory reads and writes in
/// turns, it does each of them only half of the time. Strides are in bytes.
struct LayoutRuns {
  const char* from = nullptr;
  size_t from_stride = 0;
  char* to = nullptr;
  size_t to_stride = 0;
  size_t bytes = 0;   ///< The bytes of each run.
  size_t count = 0;   ///< The runs that are not completely copied.
  size_t done = 0;    ///< The bytes of the first of them that are copied.
  size_t credit = 0;  ///< The bytes that were read, and for which nothing has been copied yet.
};

/// Loops that move elements without interpreting them. While they read, they copy an equal number of bytes of
/// `meanwhile`. With `past_caches`, they write past the caches: lines are not read before they are written,
/// and others see what was written only after fence().
struct LayoutKernels {
  /// to[col * to_stride + row] = from[row * from_stride + col]; strides are in elements. Prefetches some rows
  /// ahead. Preconditions, which callers ensure: both are aligned to an element, and do not overlap.
  using Transpose = void (*)(const void* from, size_t from_stride, void* to, size_t to_stride, size_t rows,
                             size_t cols, LayoutRuns& meanwhile, bool past_caches);
  Transpose transpose[4];  ///< By the binary logarithm of the bytes of an element.

  /// Copies `count` runs of `bytes` bytes each, from and to any address; strides are in bytes. Prefetches
  /// what lies `ahead` bytes further on.
  using Gather = void (*)(const void* from, size_t from_stride, void* to, size_t to_stride, size_t bytes,
                          size_t count, size_t ahead, LayoutRuns& meanwhile, bool past_caches);
  Gather gather;

  /// Copies the rest of `runs`.
  void (*finish)(LayoutRuns& runs, bool past_caches);
  void (*fence)();
};

}  // namespace nodewise
