#include "kernels/layout_dispatch.hpp"

#include "kernels/dispatch.hpp"

namespace nodewise {
namespace {

KernelSet set_of(const MeansKernels* means) {
#ifdef __x86_64__
  if (means == &avx512::means_kernels) return {means, &avx512::layout_kernels, &avx512::squares_kernels};
  if (means == &avx2::means_kernels) return {means, &avx2::layout_kernels, &avx2::squares_kernels};
#endif
  return {means, &baseline::layout_kernels, &baseline::squares_kernels};
}

}  // namespace

const std::vector<KernelSet>& runnable_kernel_sets() {
  static const std::vector<KernelSet> runnable = [] {
    std::vector<KernelSet> found;
    for (const MeansKernels* means : runnable_means_kernels()) found.push_back(set_of(means));
    return found;
  }();
  return runnable;
}

}  // namespace nodewise
