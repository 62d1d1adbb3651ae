#include "means/integer_sum.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include <nodewise/expects.hpp>

#include "base/number_kind.hpp"

namespace nodewise {
namespace {

constexpr std::uint64_t most_elements = std::uint64_t{1} << 30;  // the most elements of one call of a kernel

MeansKernels::SumIntegers kernel_for(std::size_t element_bytes, const MeansKernels& kernels) noexcept {
  switch (element_bytes) {
    case 1:
      return kernels.sum_8;
    case 2:
      return kernels.sum_16;
    case 4:
      return kernels.sum_32;
    default:
      return kernels.sum_64;
  }
}

}  // namespace

IntegerSum::IntegerSum(DType dtype, const KernelSet& kernels) noexcept
    : sum_(kernel_for(dtype_bytes(dtype), *kernels.means)), element_bytes_(dtype_bytes(dtype)) {
  if (base::number_kind(dtype) != base::NumberKind::with_sign) return;
  const std::size_t bits = element_bytes_ * 8;
  for (std::size_t bit = bits - 1; bit < 64; bit += bits) flip_ |= std::uint64_t{1} << bit;
  least_ = std::numeric_limits<std::int64_t>::min() >> (64 - bits);
}

void IntegerSum::add(const std::byte* data, std::uint64_t count) noexcept {
  const int upper_half = element_bytes_ == 8 ? 32 : 0;
  while (count > 0) {
    const std::uint64_t some = std::min(count, most_elements);
    std::uint64_t totals[2] = {0, 0};
    sum_(data, static_cast<std::size_t>(some), flip_, totals);
    total_ += (static_cast<Int128>(totals[1]) << upper_half) + totals[0];
    total_ += static_cast<Int128>(least_) * static_cast<Int128>(some);
    data += some * element_bytes_;
    count -= some;
  }
}

double IntegerSum::take_mean(std::uint64_t count) noexcept {
  NODEWISE_EXPECTS(count > 0);
  const bool negative = total_ < 0;
  const auto magnitude = negative ? -static_cast<Uint128>(total_) : static_cast<Uint128>(total_);
  total_ = 0;
  constexpr auto exact = Uint128{1} << 53;
  if (magnitude <= exact && count <= exact) {
    const double mean =
        static_cast<double>(static_cast<std::uint64_t>(magnitude)) / static_cast<double>(count);
    return negative ? -mean : mean;
  }
  return quotient(negative, magnitude, false, 0, count);
}

ExactSum IntegerSum::take_sum() noexcept {
  ExactSum sum;
  sum.add(take_total());
  return sum;
}

Int128 IntegerSum::take_total() noexcept {
  return std::exchange(total_, 0);
}

}  // namespace nodewise
