// One pass of a team over a stream, which adds up every feature.
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
  std::uint64_t samples = 0;  ///< Of the batches that the stream gave.
};

/// From where `stream` stands to its end: the sums of the elements of each feature, or, where `means` is not
/// null, of the squares of their differences from it. `call`: the name
/// of the function that reads, for errors.
PassSums sum_features(BatchStream& stream, const Team& team, const double* means, const KernelSet& kernels,
                      const char* call);

}  // namespace nodewise
