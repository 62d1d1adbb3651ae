// The mean of elements in memory, by kernels that the caller chooses; for tests.
#pragma once

#include <cstdint>

#include <nodewise/dtype.hpp>

#include "kernels/set.hpp"

namespace nodewise {

/// As mean(), by `kernels`. Precondition: this processor can run them, else it ends the process.
double mean_with(const KernelSet& kernels, const void* data, DType dtype, std::uint64_t count);

}  // namespace nodewise
