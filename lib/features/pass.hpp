// One pass of a team over a stream, which computes a sum for each feature.
#pragma once

#include <cstdint>

#include <nodewise/layout.hpp>
#include <nodewise/stream.hpp>
#include <nodewise/team.hpp>

#include "features/sums.hpp"
#include "kernels/set.hpp"

namespace nodewise {

struct PassSums {
  FeatureSums sums;
  std::uint64_t samples = 0;  ///< The number of samples in the batches that the stream gave.
};

/// Reads `stream` from its present position to its end. Returns the sum of the elements of each feature; if
/// `means` is not null, the sum of the squares of their differences from the mean. `call` is the name of the
/// function that reads, for errors.
PassSums sum_features(BatchStream& stream, const Team& team, const double* means, const KernelSet& kernels,
                      const char* call);

}  // namespace nodewise
