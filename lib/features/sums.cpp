#include "features/sums.hpp"

#include <algorithm>
#include <cmath>

namespace nodewise {
namespace {

constexpr std::size_t at_once = 64;
// Longer than the short batches of means: here a beginning and an end cost more.
constexpr std::uint64_t most_short_rows = 8192;
constexpr Int128 most_exact_integer = Int128{1} << 53;

// Knuth's TwoSum: a + b is what is returned and `error`, exactly, unless it overflows.
double two_sum(double a, double b, double& error) {
  const double sum = a + b;
  const double part = sum - a;
  error = (a - (sum - part)) + (b - part);
  return sum;
}

bool is_integer(DType dtype) {
  return dtype >= DType::i64;
}

}  // namespace

void FeatureSums::add(std::uint64_t first, const double* terms, std::size_t count) {
  for (; count > 0; count -= std::min(count, at_once), first += at_once, terms += at_once) {
    const std::size_t some = std::min(count, at_once);
    double* const high = &high_[first];
    double* const low = &low_[first];
    double new_high[at_once], new_low[at_once];
    double lost = 0;  // in all: zeros, or what is no number
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
  } else {  // there are more bits than two doubles have, or no number
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

ColumnAdder::ColumnAdder(DType dtype, const KernelSet& kernels, FeatureSums& sums)
    : dtype_(dtype),
      kernels_(&kernels),
      sums_(&sums),
      short_columns_(dtype, 1, kernels),
      upper_(ShortBatches::most_batches),
      lower_(ShortBatches::most_batches) {
  if (is_integer(dtype))
    integer_sum_.emplace(dtype, kernels);
  else
    float_sum_ = std::make_unique<FloatSum>(dtype, kernels);
}

void ColumnAdder::add(const std::byte* data, std::uint64_t rows, std::uint64_t first, std::uint64_t cols) {
  const std::size_t column_bytes = rows * dtype_bytes(dtype_);
  if (rows > most_short_rows) {
    for (std::uint64_t i = 0; i < cols; ++i) add_column(data + i * column_bytes, rows, first + i);
    return;
  }
  if (rows != short_rows_) {
    short_columns_ = ShortBatches(dtype_, rows, *kernels_);
    short_rows_ = rows;
  }
  for (std::uint64_t i = 0; i < cols;) {
    const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(short_columns_.group(), cols - i));
    add_group(data + i * column_bytes, rows, first + i, some);
    i += some;
  }
}

void ColumnAdder::add_group(const std::byte* data, std::uint64_t rows, std::uint64_t first,
                            std::size_t cols) {
  const std::size_t column_bytes = rows * dtype_bytes(dtype_);
  const bool told = short_columns_.sums(data, cols, upper_.data(), lower_.data());
  if (told) {
    double zero = 0;
    for (std::size_t i = 0; i < cols; ++i) zero += (upper_[i] + lower_[i]) * 0.0;
    if (zero == 0) {
      sums_->add(first, upper_.data(), cols);
      sums_->add(first, lower_.data(), cols);
      return;
    }
  }
  for (std::size_t i = 0; i < cols; ++i) {
    if (told && (upper_[i] + lower_[i]) * 0.0 == 0) {
      sums_->add(first + i, upper_[i]);
      sums_->add(first + i, lower_[i]);
    } else {
      add_column(data + i * column_bytes, rows, first + i);
    }
  }
}

void ColumnAdder::add_column(const std::byte* data, std::uint64_t rows, std::uint64_t feature) {
  if (integer_sum_) {
    integer_sum_->add(data, rows);
    sums_->add(feature, integer_sum_->take_total());
    return;
  }
  float_sum_->add(data, rows);
  double terms[FloatSum::most_terms];
  if (const auto count = float_sum_->take_terms(terms)) {
    for (std::size_t i = 0; i < *count; ++i) sums_->add(feature, terms[i]);
  } else {
    sums_->add(feature, float_sum_->take_sum());
  }
}

}  // namespace nodewise
