#include "means_dispatch.hpp"

namespace nodewise {

const std::vector<const MeansKernels*>& runnable_means_kernels() {
  static const std::vector<const MeansKernels*> runnable = [] {
    std::vector<const MeansKernels*> found;
#ifdef __x86_64__
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512) found.push_back(&avx512::means_kernels);
    if (__builtin_cpu_supports("avx2")) found.push_back(&avx2::means_kernels);
#endif
    found.push_back(&baseline::means_kernels);
    return found;
  }();
  return runnable;
}

}  // namespace nodewise
