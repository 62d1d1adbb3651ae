// The mean of elements in memory, computed with kernels that the caller chooses; for tests.
#pragma once

#include <cstdint>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"

namespace nodewise {

/// As mean(), with `kernels`. Precondition: this processor can run them; otherwise the process ends.
double mean_with(const KernelSet& kernels, const void* data, DType dtype, std::uint64_t count);

}  // namespace nodewise
