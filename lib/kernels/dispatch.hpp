// The one choice of instruction set: which of the compiled kernels this processor can run.
#pragma once

#include <vector>

#include "kernels/set.hpp"

namespace nodewise {

/// Every set that this processor can run, the best one first; at least the baseline.
const std::vector<KernelSet>& runnable_kernels();

/// The first of them.
const KernelSet& best_kernels();

}  // namespace nodewise
