// Which of the compiled kernels of layouts this processor can run.
#pragma once

#include <vector>

#include "layout_kernel.hpp"

namespace nodewise {

/// Best first; never none. In the order of runnable_means_kernels().
const std::vector<const LayoutKernels*>& runnable_layout_kernels();

}  // namespace nodewise
