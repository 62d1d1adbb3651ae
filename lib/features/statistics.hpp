// Means and variances of features, computed with kernels that the caller chooses; for tests.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/feature_statistics.hpp>

#include "kernels/set.hpp"

namespace nodewise {

/// As feature_means() and feature_statistics(), with `kernels`. Precondition: this processor can run them;
/// otherwise the process ends.
std::vector<double> feature_means_with(const KernelSet& kernels, BatchStream& stream, const Team& team);
FeatureStatistics feature_statistics_with(const KernelSet& kernels, BatchStream& stream, const Team& team,
                                          std::uint64_t ddof);

}  // namespace nodewise
