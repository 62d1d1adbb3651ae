#include "kernels/dispatch.hpp"

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace nodewise {

// Each of these sets is defined in kernels/set.cpp, which is compiled once for each instruction set.
// lib/meson.build has the compiler flags.
#ifdef __x86_64__
namespace avx512 {
extern const KernelSet kernel_set;
}
namespace avx2 {
extern const KernelSet kernel_set;
}
#endif
namespace baseline {
extern const KernelSet kernel_set;
}

namespace {

#ifdef __x86_64__
// Not every compiler's __builtin_cpu_supports knows F16C.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

const std::vector<KernelSet>& runnable_kernels() {
  static const std::vector<KernelSet> runnable = [] {
    std::vector<KernelSet> found;
#ifdef __x86_64__
    if (has_avx512()) found.push_back(avx512::kernel_set);
    if (has_avx2()) found.push_back(avx2::kernel_set);
#endif
    found.push_back(baseline::kernel_set);
    return found;
  }();
  return runnable;
}

const KernelSet& best_kernels() {
  return runnable_kernels().front();
}

}  // namespace nodewise
