// The inner loops of the means. kernels/means.cpp is compiled once for each instruction set, so this header
// brings in nothing that has code: a function compiled for the newest instruction set must not be the copy
// that the linker keeps for all.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace nodewise {

/// Loops over elements at any address. Those over floats add elements, as doubles, to `lanes`: 32 running
/// sums in a row, or several such rows; those of f16 and bf16 may keep to a quarter of them. Which element
/// goes to which lane does not matter: a sum counts only if no addition was rounded (base::FpGuard::inexact),
/// and then its order does not matter. They return whether the elements and the sums are finite.
struct MeansKernels {
  static constexpr size_t lane_count = 32;

  /// What 1 means in the lanes of these types; in those of the others it is 1.
  static constexpr double f16_unit = 0x1p1008;
  static constexpr double bf16_unit = 0x1p896;

  /// Row 0 of `lanes` += elements.
  using Sum = bool (*)(const void* data, size_t count, double* lanes);
  Sum sum_f64, sum_f32, sum_f16, sum_bf16;

  /// Row 0 += the upper half of each significand, row 1 += the lower half.
  Sum split_f64, split_f32, split_bf16;

  /// Row 0 += elements, and `errors` = what each addition lost: exactly, if nothing overflows. Fills as many
  /// errors as there are elements, rounded up to a multiple of 32.
  using Distil = bool (*)(const void* data, size_t count, double* lanes, double* errors);
  Distil distil_f64, distil_f32, distil_bf16;

  /// The sum of the 32 lanes of one row.
  double (*total)(const double* lanes);

  /// Elements as unsigned integers after an exclusive or with `flip` (one element wide, repeated over 64
  /// bits): adds the lower halves of all words to totals[0], the upper ones to totals[1]. A word is an
  /// element of 64 bits, or else two elements of fewer. Precondition, to which callers see: at most 2^30
  /// elements.
  using SumIntegers = void (*)(const void* data, size_t count, uint64_t flip, uint64_t* totals);
  SumIntegers sum_8, sum_16, sum_32, sum_64;
};

}  // namespace nodewise
