// The exact sum of floating-point numbers. It runs at the speed of memory if the data allow it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"
#include "means/exact_sum.hpp"

namespace nodewise {

/// Whether this processor reports which additions were rounded. Some emulators and instrumenting tools never
/// set its flag; without it, no fast sum can be trusted.
bool inexact_flag_works() noexcept;

/// Adds floating-point numbers of one type exactly. The loops of MeansKernels add them as plain doubles, and
/// the processor's inexact flag tells whether any addition was rounded. If so, the chunk is undone and added
/// again in a way that takes more work. The last way adds each element to an ExactSum. So only the time
/// depends on the way. Precondition of every call: there is a base::FpGuard. Thread class: value.
class FloatSum {
 public:
  FloatSum(DType dtype, const KernelSet& kernels) noexcept;

  void add(const std::byte* data, std::uint64_t count) noexcept;
  /// The mean of the `count` elements that were added. The sum is then empty. Precondition: count > 0.
  double take_mean(std::uint64_t count) noexcept;
  /// The sum of what was added. The sum is then empty.
  ExactSum take_sum() noexcept;
  /// The same as doubles that must be added exactly, often one or two of them. Returns how many were put into
  /// `terms`; nullopt if only take_sum() can give the sum.
  static constexpr std::size_t most_terms = 4 * MeansKernels::lane_count;
  std::optional<std::size_t> take_terms(double* terms) noexcept;

 private:
  // A chunk of this size is long enough that beginning and ending it costs little.
  static constexpr std::size_t chunk_bytes = std::size_t{128} << 10;
  // The errors of this number of elements fit into the first-level cache.
  static constexpr std::size_t distil_elements = 2048;
  static constexpr std::size_t lane_count = MeansKernels::lane_count;
  static constexpr std::size_t row_count = 4;
  static constexpr std::size_t row_bytes = lane_count * sizeof(double);

  // The ways, from the least work to the most: plain, split, and distil once, twice or three times.
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
  double unit_ = 1;  // the unit of the lanes
  DType dtype_;
  unsigned hardest_way_ = distil_thrice;
  bool flag_works_;

  unsigned way_ = plain;
  std::uint32_t chunks_here_ = 0;  // since this way was taken, or an easier one was tried
  std::uint32_t patience_ = 4;     // the number of chunks until an easier way is tried
  unsigned rows_used_ = 0;         // the rows of lanes in use; the others are zero
  bool exact_used_ = false;
  alignas(64) double lanes_[row_count * lane_count] = {};
  alignas(64) double errors_[distil_elements];
  ExactSum exact_;
};

}  // namespace nodewise
