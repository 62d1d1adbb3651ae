// Means and variances of features by chosen kernels, for tests.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/feature_statistics.hpp>

#include "kernels/set.hpp"

namespace nodewise {

/// As feature_means() and feature_statistics(), by `kernels`. Precondition: this processor can run
/// them, else it ends the process.
std::vector<double> feature_means_with(const KernelSet& kernels, BatchStream& stream, const Team& team);
FeatureStatistics feature_statistics_with(const KernelSet& kernels, BatchStream& stream, const Team& team,
                                          std::uint64_t ddof);

}  // namespace nodewise
