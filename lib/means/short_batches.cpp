#include "means/short_batches.hpp"

#include <algorithm>
#include <bit>

#include <nodewise/expects.hpp>

#include "base/fp_guard.hpp"
#include "means/float_sum.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

constexpr std::size_t group_bytes = std::size_t{256} << 10;  // so that the two streams are pages apart
constexpr unsigned least_patience = 4;
constexpr unsigned most_patience = 256;

}  // namespace

ShortBatches::ShortBatches(DType dtype, std::uint64_t batch_elements, const KernelSet& kernels) noexcept
    : kernels_(kernels.short_batches),
      type_(static_cast<std::size_t>(dtype)),
      elements_(static_cast<std::size_t>(batch_elements)),
      unit_(kernels_->units[type_]) {
  NODEWISE_EXPECTS(batch_elements > 0 && batch_elements <= group_bytes / dtype_bytes(dtype));
  group_ = std::min(group_bytes / (elements_ * dtype_bytes(dtype)), most_batches);
  if (!inexact_flag_works()) way_ = none;
}

// Tries ways from the one that worked for the last group on, towards more work. From time to time it begins
// again with the easiest way.
template <class Try>
ShortBatches::Told ShortBatches::by_ways(Try try_way) noexcept {
  const unsigned way_before = way_;
  if (way_ != plain && inexact_flag_works() && ++groups_here_ >= patience_) {
    way_ = plain;
    groups_here_ = 0;
  }
  const bool probing = way_ != way_before;
  Told told = Told::nothing;
  for (; way_ != none; ++way_)
    if (told = try_way(way_); told != Told::nothing) break;
  if (probing) patience_ = way_ < way_before ? least_patience : std::min(patience_ * 2, most_patience);
  return told;
}

bool ShortBatches::means(const std::byte* data, std::size_t batches, double* values) noexcept {
  NODEWISE_EXPECTS(batches <= group());
  const Told told = by_ways([&](unsigned way) { return try_way(way, data, batches, values); });
  if (told != Told::nothing) return told == Told::all;
  std::fill_n(values, batches, canonical_nan());
  return false;
}

bool ShortBatches::sums(const std::byte* data, std::size_t batches, double* upper, double* lower) noexcept {
  NODEWISE_EXPECTS(batches <= group());
  const Told told = by_ways([&](unsigned way) {
    if (way == plain) std::fill_n(lower, batches, 0.0);
    return sum_by(way, data, batches, upper, lower) ? Told::all : Told::nothing;
  });
  if (told == Told::nothing) return false;
  if (unit_ != 1)
    for (std::size_t i = 0; i < batches; ++i) upper[i] *= unit_;
  return true;
}

bool ShortBatches::sum_by(unsigned way, const std::byte* data, std::size_t batches, double* upper,
                          double* lower) const noexcept {
  FpGuard::lower_flags();
  if (way == plain) return kernels_->sums[type_](data, elements_, batches, upper) && !FpGuard::inexact();
  const auto half_sums = kernels_->half_sums[type_];
  return half_sums != nullptr && half_sums(data, elements_, batches, upper, lower) && !FpGuard::inexact();
}

ShortBatches::Told ShortBatches::try_way(unsigned way, const std::byte* data, std::size_t batches,
                                         double* values) const noexcept {
  double lower[most_batches];
  if (!sum_by(way, data, batches, values, lower)) return Told::nothing;
  const bool all = way == plain ? divide_sums(values, batches) : divide_pairs(values, lower, batches);
  return all ? Told::all : Told::some;
}

// Dividing by a power of two is the same as multiplying by its inverse, which is much faster.
bool ShortBatches::divide_sums(double* sums, std::size_t batches) const noexcept {
  const auto divisor = static_cast<double>(elements_);
  if (std::has_single_bit(elements_)) return kernels_->scale(sums, batches, unit_ / divisor);
  return kernels_->divide(sums, batches, unit_, divisor);
}

bool ShortBatches::divide_pairs(double* upper, const double* lower, std::size_t batches) const noexcept {
  if (kernels_->divide_pairs != nullptr)
    return kernels_->divide_pairs(upper, lower, batches, static_cast<double>(elements_),
                                  std::has_single_bit(elements_));
  bool all = true;
  for (std::size_t i = 0; i < batches; ++i) {
    const Division mean = divide(upper[i], lower[i], elements_);
    upper[i] = mean.certain ? mean.value : canonical_nan();
    all = all && mean.certain;
  }
  return all;
}

}  // namespace nodewise
