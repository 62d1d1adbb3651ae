#include "layout_dispatch.hpp"

#include "means_dispatch.hpp"

namespace nodewise {
namespace {

// Of the same instruction set.
const LayoutKernels* kernels_beside([[maybe_unused]] const MeansKernels* means) {
#ifdef __x86_64__
  if (means == &avx512::means_kernels) return &avx512::layout_kernels;
  if (means == &avx2::means_kernels) return &avx2::layout_kernels;
#endif
  return &baseline::layout_kernels;
}

}  // namespace

const std::vector<const LayoutKernels*>& runnable_layout_kernels() {
  static const std::vector<const LayoutKernels*> runnable = [] {
    std::vector<const LayoutKernels*> found;
    for (const MeansKernels* means : runnable_means_kernels()) found.push_back(kernels_beside(means));
    return found;
  }();
  return runnable;
}

}  // namespace nodewise
