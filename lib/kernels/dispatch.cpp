#include "kernels/dispatch.hpp"

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace nodewise {
#ifdef __x86_64__
namespace {

// Not every compiler's __builtin_cpu_supports knows it.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

}  // namespace
#endif

const std::vector<const MeansKernels*>& runnable_means_kernels() {
  static const std::vector<const MeansKernels*> runnable = [] {
    std::vector<const MeansKernels*> found;
#ifdef __x86_64__
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512) found.push_back(&avx512::means_kernels);
    if (avx2) found.push_back(&avx2::means_kernels);
#endif
    found.push_back(&baseline::means_kernels);
    return found;
  }();
  return runnable;
}

}  // namespace nodewise
