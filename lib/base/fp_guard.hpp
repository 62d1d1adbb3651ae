// The floating-point environment: put in order for as long as the library computes, then given back.
#pragma once

#ifndef __x86_64__
#include <cfenv>
#endif

namespace nodewise::base {

/// From construction to destruction the calling thread rounds to nearest, keeps subnormals (no
/// flush-to-zero, no denormals-are-zero), traps nothing and starts with no flag raised; then it has its
/// caller's environment again, flags included. Compilers do not know that arithmetic depends on any of this:
/// what must happen under the guard, or before inexact() is asked, goes through an opaque call or settle().
class FpGuard {
 public:
  FpGuard() noexcept;
  ~FpGuard();
  FpGuard(const FpGuard&) = delete;
  FpGuard& operator=(const FpGuard&) = delete;

  /// Whether any operation of this thread was rounded since lower_flags(), or since construction.
  static bool inexact() noexcept;
  static void lower_flags() noexcept;
  /// Whatever gave `value` is done before this, whatever uses it comes after.
  static void settle(double& value) noexcept { asm volatile("" : "+m"(value) : : "memory"); }

 private:
#ifdef __x86_64__
  // All arithmetic here is that of SSE and AVX, which MXCSR governs alone; going through <cfenv> would cost
  // ten times as much for the sake of the x87 unit.
  static constexpr unsigned defaults = 0x1f80;
  static constexpr unsigned flags = 0x003f;
  static constexpr unsigned inexact_flag = 0x0020;
  unsigned saved_;
#else
  std::fenv_t saved_;
#endif
};

#ifdef __x86_64__
inline FpGuard::FpGuard() noexcept : saved_(__builtin_ia32_stmxcsr()) {
  __builtin_ia32_ldmxcsr(defaults);
  asm volatile("" : : : "memory");
}
inline FpGuard::~FpGuard() {
  asm volatile("" : : : "memory");
  __builtin_ia32_ldmxcsr(saved_);
}
inline bool FpGuard::inexact() noexcept {
  return (__builtin_ia32_stmxcsr() & inexact_flag) != 0;
}
inline void FpGuard::lower_flags() noexcept {
  if ((__builtin_ia32_stmxcsr() & flags) != 0) __builtin_ia32_ldmxcsr(defaults);
}
#else
inline FpGuard::FpGuard() noexcept {
  std::fegetenv(&saved_);
  std::fesetenv(FE_DFL_ENV);
}
inline FpGuard::~FpGuard() {
  std::fesetenv(&saved_);
}
inline bool FpGuard::inexact() noexcept {
  return std::fetestexcept(FE_INEXACT) != 0;
}
inline void FpGuard::lower_flags() noexcept {
  if (std::fetestexcept(FE_ALL_EXCEPT) != 0) std::feclearexcept(FE_ALL_EXCEPT);
}
#endif

}  // namespace nodewise::base
