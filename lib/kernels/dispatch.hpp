// Chooses the instruction set: which of the compiled kernels this processor can run.
#pragma once

#include <vector>

#include "kernels/set.hpp"

namespace nodewise {

/// All sets that this processor can run, the best one first. The baseline is always among them.
const std::vector<KernelSet>& runnable_kernels();

/// The first of runnable_kernels().
const KernelSet& best_kernels();

}  // namespace nodewise
