#include "features/sums.hpp"

#include <algorithm>
#include <cmath>

#include <nodewise/expects.hpp>

namespace nodewise {
namespace {

constexpr std::size_t at_once = 64;
constexpr Int128 most_exact_integer = Int128{1} << 53;

// Knuth's TwoSum: the returned double plus `error` is exactly a + b, unless it overflows.
double two_sum(double a, double b, double& error) {
  const double sum = a + b;
  const double part = sum - a;
  error = (a - (sum - part)) + (b - part);
  return sum;
}

}  // namespace

void FeatureSums::add(std::uint64_t first, const double* terms, std::size_t count) {
  for (; count > 0; count -= std::min(count, at_once), first += at_once, terms += at_once) {
    const std::size_t some = std::min(count, at_once);
    double* const high = &high_[first];
    double* const low = &low_[first];
    double new_high[at_once], new_low[at_once];
    double lost = 0;  // the sum of all that two doubles could not hold; zero, or NaN
    for (std::size_t i = 0; i < some; ++i) {
      double error = 0, rest = 0;
      new_high[i] = two_sum(high[i], terms[i], error);
      new_low[i] = two_sum(low[i], error, rest);
      lost += std::fabs(rest);
    }
    if (lost == 0) {
      std::copy_n(new_high, some, high);
      std::copy_n(new_low, some, low);
    } else {
      for (std::size_t i = 0; i < some; ++i) add(first + i, terms[i]);
    }
  }
}

void FeatureSums::add(std::uint64_t feature, double term) {
  double error = 0, rest = 0;
  const double high = two_sum(high_[feature], term, error);
  const double low = two_sum(low_[feature], error, rest);
  if (rest == 0) {
    high_[feature] = high;
    low_[feature] = low;
  } else {  // the sum needs more bits than two doubles have, or is not finite
    rest_[feature].add(term);
  }
}

void FeatureSums::add(std::uint64_t feature, Int128 term) {
  if (term >= -most_exact_integer && term <= most_exact_integer)
    add(feature, static_cast<double>(static_cast<std::int64_t>(term)));
  else
    rest_[feature].add(term);
}

void FeatureSums::add(std::uint64_t feature, const ExactSum& sum) {
  rest_[feature].add(sum);
}

void FeatureSums::add(const FeatureSums& other) {
  add(0, other.high_.data(), other.high_.size());
  add(0, other.low_.data(), other.low_.size());
  for (const auto& [feature, sum] : other.rest_) add(feature, sum);
}

double FeatureSums::divided(std::uint64_t feature, std::uint64_t count) const {
  NODEWISE_EXPECTS(count > 0);
  const auto rest = rest_.find(feature);
  if (rest == rest_.end()) {
    const Division quotient = divide(high_[feature], low_[feature], count);
    if (quotient.certain) return quotient.value;
  }
  ExactSum sum = rest == rest_.end() ? ExactSum() : rest->second;
  sum.add(high_[feature]);
  sum.add(low_[feature]);
  return sum.mean(count);
}

}  // namespace nodewise
