// Sets the floating-point environment while the library computes, and restores it afterwards.
#pragma once

#ifndef __x86_64__
#include <cfenv>
#endif

namespace nodewise::base {

/// As long as a guard exists, the calling thread rounds to nearest, keeps subnormals (no flush-to-zero, no
/// denormals-are-zero) and traps nothing. It starts with no flag raised. The destructor restores the caller's
/// environment, flags included.
///
/// Compilers do not know that arithmetic depends on this environment. A calculation that must stay inside the
/// guard, or in front of a call of inexact(), must go through an opaque function call or settle().
class FpGuard {
 public:
  FpGuard() noexcept;
  ~FpGuard();
  FpGuard(const FpGuard&) = delete;
  FpGuard& operator=(const FpGuard&) = delete;

  /// Whether this thread has rounded any result since lower_flags() was called, or since the guard was made.
  static bool inexact() noexcept;
  static void lower_flags() noexcept;
  /// The compiler keeps the calculation of `value` before this call, and all uses of it after the call.
  static void settle(double& value) noexcept { asm volatile("" : "+m"(value) : : "memory"); }

 private:
#ifdef __x86_64__
  // The library computes with SSE and AVX only, and MXCSR alone controls these. <cfenv> would also set the
  // x87 unit, and take ten times as long.
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
