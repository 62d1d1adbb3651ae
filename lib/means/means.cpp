#include <nodewise/means.hpp>

#include <cmath>

#include "base/fp_guard.hpp"
#include "kernels/dispatch.hpp"
#include "means/mean_with.hpp"
#include "means/with_sum.hpp"

namespace nodewise {

using base::FpGuard;

std::string_view sum_order() noexcept {
  return "exact-1";
}

double mean_with(const KernelSet& kernels, const void* data, DType dtype, std::uint64_t count) {
  if (count == 0) return canonical_nan();
  const FpGuard guard;
  double result = 0;
  with_sum(dtype, kernels, [&](auto& sum) {
    sum.add(static_cast<const std::byte*>(data), count);
    result = sum.take_mean(count);
  });
  FpGuard::settle(result);
  return result;
}

double mean(const void* data, DType dtype, std::uint64_t count) {
  return mean_with(best_kernels(), data, dtype, count);
}

double round_to_4(double value) noexcept {
  constexpr double scale = 10000;
  // From here on, neighbouring doubles are further apart than the decimals, so values stay as they are.
  constexpr double sparse = 0x1p39;
  const FpGuard guard;  // even a comparison with a NaN may trap
  if (!(std::fabs(value) < sparse)) return value;
  FpGuard::settle(value);
  const double scaled = value * scale;
  const double lost = std::fma(value, scale, -scaled);  // scaled + lost is exactly the product
  double nearest = std::nearbyint(scaled);              // ties to even
  const double past = scaled - nearest;
  // This looks like a tie, but it is not: the product became one by rounding. `lost` says on which side it
  // really is.
  if (past == 0.5 && lost > 0) nearest += 1;
  if (past == -0.5 && lost < 0) nearest -= 1;
  double result = nearest / scale;  // both are exact, so this is the double nearest to the decimal
  FpGuard::settle(result);
  return result;
}

}  // namespace nodewise
