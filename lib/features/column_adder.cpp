#include "features/column_adder.hpp"

#include <algorithm>

#include "base/number_kind.hpp"

namespace nodewise {
namespace {

// Longer than the short batches of means, because beginning and ending a column costs more.
constexpr std::uint64_t most_short_rows = 8192;

}  // namespace

ColumnAdder::ColumnAdder(DType dtype, const KernelSet& kernels, FeatureSums& sums)
    : dtype_(dtype),
      kernels_(&kernels),
      sums_(&sums),
      short_columns_(dtype, 1, kernels),
      upper_(ShortBatches::most_batches),
      lower_(ShortBatches::most_batches) {
  if (base::number_kind(dtype) != base::NumberKind::floating)
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
