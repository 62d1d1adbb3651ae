#include "means/float_sum.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <nodewise/expects.hpp>

#include "base/fp_guard.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

constexpr std::uint32_t least_patience = 4;
constexpr std::uint32_t most_patience = 1U << 16;

template <class T>
double element(const std::byte* at) noexcept {
  T value{};
  std::memcpy(&value, at, sizeof value);
  if constexpr (sizeof value == 2)
    return static_cast<double>(static_cast<float>(value));
  else
    return static_cast<double>(value);
}

}  // namespace

bool inexact_flag_works() noexcept {
  static const bool works = [] {
    FpGuard::lower_flags();
    double one = 1;
    FpGuard::settle(one);
    double sum = one + 1;
    FpGuard::settle(sum);
    const bool quiet = !FpGuard::inexact();
    FpGuard::settle(one);
    sum = one + 0x1p-60;
    FpGuard::settle(sum);
    return quiet && FpGuard::inexact();
  }();
  return works;
}

FloatSum::FloatSum(DType dtype, const KernelSet& kernels) noexcept
    : kernels_(kernels.means), dtype_(dtype), flag_works_(inexact_flag_works()) {
  switch (dtype) {
    case DType::f64:
      sum_ = kernels_->sum_f64;
      element_ = element<double>;
      split_ = kernels_->split_f64;
      distil_ = kernels_->distil_f64;
      break;
    case DType::f32:
      sum_ = kernels_->sum_f32;
      element_ = element<float>;
      split_ = kernels_->split_f32;
      distil_ = kernels_->distil_f32;
      break;
    case DType::f16:
      sum_ = kernels_->sum_f16;
      element_ = element<float16>;
      // The smallest and the largest f16 are 40 bits apart, and there are at least 8 lanes, so the plain way
      // is always exact if the lanes begin at zero.
      static_assert(chunk_bytes / sizeof(float16) / 8 <= std::size_t{1} << (53 - 40));
      hardest_way_ = plain;
      unit_ = MeansKernels::f16_unit;
      break;
    case DType::bf16:
      sum_ = kernels_->sum_bf16;
      element_ = element<bfloat16>;
      split_ = kernels_->split_bf16;
      distil_ = kernels_->distil_bf16;
      unit_ = MeansKernels::bf16_unit;
      break;
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u64:
    case DType::u32:
    case DType::u16:
    case DType::u8:
      break;  // IntegerSum adds these
  }
}

void FloatSum::add(const std::byte* data, std::uint64_t count) noexcept {
  while (count > 0) {
    const std::size_t some = add_some(data, count);
    data += some * dtype_bytes(dtype_);
    count -= some;
  }
}

std::size_t FloatSum::chunk(unsigned way, std::uint64_t count) const noexcept {
  const std::size_t most = way < distil ? chunk_bytes / dtype_bytes(dtype_) : distil_elements;
  return static_cast<std::size_t>(std::min<std::uint64_t>(count, most));
}

// Adds some elements from the beginning of `data`, and returns how many. Returns 0 if it only changed the
// way.
std::size_t FloatSum::add_some(const std::byte* data, std::uint64_t count) noexcept {
  const std::size_t few = chunk(distil, count);
  if (exact_.is_nan()) return few;  // the sum stays NaN
  if (!flag_works_) {
    add_one_by_one(data, few);
    return few;
  }
  const bool probing = way_ > plain && chunks_here_ >= patience_;
  if (probing) --way_;
  const std::size_t some = chunk(way_, count);
  const Outcome outcome = attempt(data, some);
  if (probing) return end_probing(outcome, some);
  if (outcome == Outcome::exact) {
    ++chunks_here_;
    return some;
  }
  const bool from_zero = rows_used_ == 0;
  if (outcome == Outcome::not_finite || (from_zero && way_ == hardest_way_)) {
    add_one_by_one(data, few);
    return few;
  }
  if (from_zero)
    take_harder_way(1);
  else
    flush();
  return 0;
}

// Ends the trial of an easier way, for which this chunk of `some` elements was used.
std::size_t FloatSum::end_probing(Outcome outcome, std::size_t some) noexcept {
  if (outcome != Outcome::exact) {
    take_harder_way(2);
    return 0;
  }
  chunks_here_ = 0;
  patience_ = std::max(patience_ / 2, least_patience);
  return some;
}

void FloatSum::take_harder_way(std::uint32_t more_patience) noexcept {
  ++way_;
  chunks_here_ = 0;
  patience_ = std::min(patience_ * more_patience, most_patience);
}

// Adds the chunk to the lanes. If that is not exact, restores the lanes.
FloatSum::Outcome FloatSum::attempt(const std::byte* data, std::size_t count) noexcept {
  const unsigned rows = std::max(rows_used_, rows_of(way_));
  double before[row_count * lane_count];
  if (rows_used_ != 0) std::memcpy(before, lanes_, rows * row_bytes);
  FpGuard::lower_flags();
  const bool finite = run(data, count);
  if (finite && !FpGuard::inexact()) {
    rows_used_ = rows;
    return Outcome::exact;
  }
  if (rows_used_ != 0)
    std::memcpy(lanes_, before, rows * row_bytes);
  else
    std::memset(lanes_, 0, rows * row_bytes);
  return finite ? Outcome::rounded : Outcome::not_finite;
}

// Returns whether the sums are finite. The inexact flag is raised if they were rounded.
bool FloatSum::run(const std::byte* data, std::size_t count) noexcept {
  if (way_ == plain) return sum_(data, count, lanes_);
  if (way_ == split) return split_(data, count, lanes_);
  if (!distil_(data, count, lanes_, errors_)) return false;
  const std::size_t errors = (count + lane_count - 1) / lane_count * lane_count;
  double* row = lanes_ + lane_count;
  for (unsigned way = distil; way < way_; ++way, row += lane_count)
    if (!kernels_->distil_f64(errors_, errors, row, errors_)) return false;
  FpGuard::lower_flags();  // distilling rounds, but keeps what was rounded off
  return kernels_->sum_f64(errors_, errors, row);
}

void FloatSum::add_one_by_one(const std::byte* data, std::size_t count) noexcept {
  exact_used_ = true;
  for (std::size_t i = 0; i < count; ++i) exact_.add(element_(data + i * dtype_bytes(dtype_)));
}

void FloatSum::flush() noexcept {
  exact_used_ = true;
  for (std::size_t lane = 0; lane < rows_used_ * lane_count; ++lane)
    if (lanes_[lane] != 0) exact_.add(lanes_[lane] * unit_);
  clear_lanes();
}

void FloatSum::clear_lanes() noexcept {
  std::memset(lanes_, 0, rows_used_ * row_bytes);
  rows_used_ = 0;
}

double FloatSum::take_mean(std::uint64_t count) noexcept {
  NODEWISE_EXPECTS(count > 0);
  if (!exact_used_ && rows_used_ <= 2) {
    Division mean = divide_totals(lanes_, rows_used_, count);
    if (!mean.certain) {
      alignas(64) double halves[2 * lane_count] = {};
      FpGuard::lower_flags();
      kernels_->split_f64(lanes_, rows_used_ * lane_count, halves);
      if (!FpGuard::inexact()) mean = divide_totals(halves, 2, count);
      if (way_ == plain && hardest_way_ > plain) take_harder_way(4);  // the next way has these halves anyway
    }
    if (mean.certain) {
      clear_lanes();
      return mean.value;
    }
  }
  return take_sum().mean(count);
}

// The mean, if the lanes of each row can be added without rounding.
Division FloatSum::divide_totals(const double* lanes, unsigned rows, std::uint64_t count) const noexcept {
  FpGuard::lower_flags();
  const double high = kernels_->total(lanes);
  const double low = rows == 2 ? kernels_->total(lanes + lane_count) : 0;
  if (FpGuard::inexact()) return {};
  return divide(high * unit_, low * unit_, count);
}

std::optional<std::size_t> FloatSum::take_terms(double* terms) noexcept {
  if (exact_used_) return std::nullopt;
  std::size_t count = 0;
  for (const double* row = lanes_; row < lanes_ + rows_used_ * lane_count; row += lane_count) {
    FpGuard::lower_flags();
    const double total = kernels_->total(row);
    if (!FpGuard::inexact()) {
      terms[count++] = total * unit_;
    } else {
      for (std::size_t lane = 0; lane < lane_count; ++lane) terms[count++] = row[lane] * unit_;
    }
  }
  clear_lanes();
  return count;
}

ExactSum FloatSum::take_sum() noexcept {
  flush();
  const ExactSum sum = exact_;
  exact_ = ExactSum();
  exact_used_ = false;
  return sum;
}

}  // namespace nodewise
