// The exact sum of floats, at the speed of memory where the data allow it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"
#include "means/exact_sum.hpp"

namespace nodewise {

/// Whether this processor says which additions were rounded: some emulated ones and some instrumenting tools
/// leave its flag alone, and then nothing is believed without it.
bool inexact_flag_works() noexcept;

/// Adds up floats of one type, exactly. The loops of MeansKernels run in plain doubles; the processor's own
/// inexact flag tells whether any of their additions was rounded. A chunk of data whose sum was rounded is
/// taken back and added again in the next, more laborious way; at last element by element to an ExactSum.
/// So nothing but time depends on the way. Every call must be under a base::FpGuard. Thread class: value.
class FloatSum {
 public:
  FloatSum(DType dtype, const KernelSet& kernels) noexcept;

  void add(const std::byte* data, std::uint64_t count) noexcept;
  /// The mean of what was added, `count` elements; then begins anew. Precondition: count > 0.
  double take_mean(std::uint64_t count) noexcept;
  /// What was added; then begins anew.
  ExactSum take_sum() noexcept;
  /// The same as doubles that are to be added exactly, often one or two of them: how many were put into
  /// `terms`, or none where only take_sum() has it all.
  static constexpr std::size_t most_terms = 4 * MeansKernels::lane_count;
  std::optional<std::size_t> take_terms(double* terms) noexcept;

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{128} << 10;  // what is between is lost to beginning
  static constexpr std::size_t distil_elements =
      2048;  // the errors of this number of elements fit the first-level cache
  static constexpr std::size_t lane_count = MeansKernels::lane_count;
  static constexpr std::size_t row_count = 4;
  static constexpr std::size_t row_bytes = lane_count * sizeof(double);

  // The ways, by rising labour: plain, split, and distil once, twice, three times.
  enum Way : unsigned { plain, split, distil, distil_thrice = distil + row_count - 2 };
  enum class Outcome { exact, rounded, not_finite };

  static unsigned rows_of(unsigned way) noexcept { return way <= split ? way + 1 : way; }
  std::size_t chunk(unsigned way, std::uint64_t count) const noexcept;
  std::size_t add_some(const std::byte* data, std::uint64_t count) noexcept;
  std::size_t end_probing(Outcome outcome, std::size_t some) noexcept;
  void take_harder_way(std::uint32_t more_patience) noexcept;
  Outcome attempt(const std::byte* data, std::size_t count) noexcept;
  bool run(const std::byte* data, std::size_t count) noexcept;
  void add_one_by_one(const std::byte* data, std::size_t count) noexcept;
  void flush() noexcept;
  Division divide_totals(const double* lanes, unsigned rows, std::uint64_t count) const noexcept;
  void clear_lanes() noexcept;

  const MeansKernels* kernels_;
  MeansKernels::Sum sum_ = nullptr;
  MeansKernels::Sum split_ = nullptr;
  MeansKernels::Distil distil_ = nullptr;
  double (*element_)(const std::byte*) noexcept = nullptr;
  double unit_ = 1;  // of the lanes
  DType dtype_;
  unsigned hardest_way_ = distil_thrice;
  bool flag_works_;

  unsigned way_ = plain;
  std::uint32_t chunks_here_ = 0;  // since this way was taken, or an easier one tried
  std::uint32_t patience_ = 4;     // chunks until an easier one is tried
  unsigned rows_used_ = 0;         // of the lanes; the others are zero
  bool exact_used_ = false;
  alignas(64) double lanes_[row_count * lane_count] = {};
  alignas(64) double errors_[distil_elements];
  ExactSum exact_;
};

}  // namespace nodewise
