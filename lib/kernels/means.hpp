// The inner loops of the means. kernels/means.cpp is compiled once for each instruction set, so this header
// must include nothing that has code. Otherwise the linker might keep the copy of a function that was
// compiled for the newest instruction set, and use it everywhere.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace nodewise {

/// Loops over elements at any address. The loops over floating-point numbers add elements, as doubles, to
/// `lanes`. A row of lanes has 32 running sums; there may be several rows, and the loops of f16 and bf16 may
/// use only a quarter of the lanes. It does not matter which element is added to which lane: a sum is used
/// only if no addition was rounded (base::FpGuard::inexact), and then the order does not matter. The loops
/// return whether the elements and the sums are finite.
struct MeansKernels {
  static constexpr size_t lane_count = 32;

  /// What a value of 1 in the lanes of these types means. In the lanes of other types it is 1.
  static constexpr double f16_unit = 0x1p1008;
  static constexpr double bf16_unit = 0x1p896;

  /// Adds the elements to row 0 of `lanes`.
  using Sum = bool (*)(const void* data, size_t count, double* lanes);
  Sum sum_f64, sum_f32, sum_f16, sum_bf16;

  /// Adds the upper half of each significand to row 0, and the lower half to row 1.
  Sum split_f64, split_f32, split_bf16;

  /// Adds the elements to row 0, and writes to `errors` what each addition lost; this is exact if nothing
  /// overflows. The number of errors is that of the elements, rounded up to a multiple of 32.
  using Distil = bool (*)(const void* data, size_t count, double* lanes, double* errors);
  Distil distil_f64, distil_f32, distil_bf16;

  /// The sum of the 32 lanes of one row.
  double (*total)(const double* lanes);

  /// Treats elements as unsigned integers after an exclusive or with `flip`, which is one element wide and
  /// repeated over 64 bits. Adds the lower halves of all words to totals[0], and the upper halves to
  /// totals[1]. A word is an element of 64 bits, or two elements of fewer bits. Precondition, which callers
  /// ensure: at most 2^30 elements.
  using SumIntegers = void (*)(const void* data, size_t count, uint64_t flip, uint64_t* totals);
  SumIntegers sum_8, sum_16, sum_32, sum_64;
};

}  // namespace nodewise
