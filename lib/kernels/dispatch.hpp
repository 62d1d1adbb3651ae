// Which of the compiled kernels this processor can run.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/dtype.hpp>

#include "kernels/means.hpp"

namespace nodewise {

/// Best first; never none.
const std::vector<const MeansKernels*>& runnable_means_kernels();

/// As mean(), by `kernels`. Precondition: they are runnable.
double mean_with(const MeansKernels& kernels, const void* data, DType dtype, std::uint64_t count);

}  // namespace nodewise
