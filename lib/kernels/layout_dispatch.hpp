// Which of the compiled kernels this processor can run, those of layouts too.
#pragma once

#include <vector>

#include "kernels/layout.hpp"
#include "kernels/means.hpp"
#include "kernels/squares.hpp"

namespace nodewise {

/// All kernels of one instruction set.
struct KernelSet {
  const MeansKernels* means;
  const LayoutKernels* layouts;
  const SquaresKernels* squares;
};

/// Best first; never none.
const std::vector<KernelSet>& runnable_kernel_sets();

}  // namespace nodewise
