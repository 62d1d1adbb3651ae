#include "features/squares_adder.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace nodewise {

SquaresAdder::SquaresAdder(DType dtype, const double* means, std::uint64_t features, const KernelSet& kernels,
                           FeatureSums& sums)
    : dtype_(dtype),
      width_(dtype_bytes(dtype)),
      means_(means),
      features_(features),
      kernels_(*kernels.squares),
      sums_(sums),
      adder_(DType::f64, kernels, sums),
      lanes_(2 * kernels_.lanes * features),
      squares_(squares_at_once) {}

// A feature without a finite mean has no variance. Columns are added in pieces, so that only one piece must
// be repeated if two doubles cannot hold a sum.
void SquaresAdder::add(const std::byte* columns, std::uint64_t rows, std::uint64_t first,
                       std::uint64_t cols) {
  for (std::uint64_t i = 0; i < cols; ++i)
    for (std::uint64_t row = 0; row < rows && std::isfinite(means_[first + i]); row += squares_at_once)
      add_piece(columns + (i * rows + row) * width_, std::min(rows - row, squares_at_once), first + i);
}

void SquaresAdder::add_piece(const std::byte* elements, std::uint64_t count, std::uint64_t feature) {
  const auto type = static_cast<std::size_t>(dtype_);
  const double mean = means_[feature];
  double* const lanes = &lanes_[2 * kernels_.lanes * feature];
  if (kernels_.add[type](elements, count, mean, lanes)) return;
  // The lanes may hold one small square because of which large ones cannot be added exactly
  empty_lanes(feature);
  if (kernels_.add[type](elements, count, mean, lanes)) return;
  kernels_.squares[type](elements, count, mean, squares_.data());
  adder_.add(reinterpret_cast<const std::byte*>(squares_.data()), count, feature, 1);
}

void SquaresAdder::empty_lanes(std::uint64_t feature) {
  const std::size_t each = 2 * kernels_.lanes;
  for (std::size_t i = each * feature; i < each * (feature + 1); ++i)
    if (const double sum = std::exchange(lanes_[i], 0.0); sum != 0) sums_.add(feature, sum);
}

void SquaresAdder::finish() {
  for (std::uint64_t feature = 0; feature < features_; ++feature) empty_lanes(feature);
}

}  // namespace nodewise
