// What the loops over elements are written in: vectors as wide as the instruction set's, which the compiler
// translates. The build gives NODEWISE_KERNELS, the namespace, and the instruction set's flags. No function
// here has a body of its own in the object file, so no two instruction sets' copies can be mistaken for each
// other.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NODEWISE_INLINE __attribute__((always_inline)) inline

namespace nodewise::NODEWISE_KERNELS {
namespace {

#if defined(__AVX512F__)
constexpr size_t vector_bytes = 64;
#elif defined(__AVX__)
constexpr size_t vector_bytes = 32;
#else
constexpr size_t vector_bytes = 16;
#endif
constexpr size_t vector_lanes = vector_bytes / sizeof(double);
constexpr size_t line_bytes = 64;
// Found by trying, from none to 16 KiB.
constexpr size_t prefetch_bytes = 1024;

typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef uint64_t Bits __attribute__((vector_size(vector_bytes)));
typedef float Floats __attribute__((vector_size(vector_bytes / 2)));  // as many as there are Doubles
typedef uint32_t Words __attribute__((vector_size(vector_bytes / 2)));

// The bits of a double that hold the upper half of the significand of an element that was widened to it.
constexpr uint64_t upper_half_f64 = ~uint64_t{0} << 27;
constexpr uint64_t upper_half_f32 = ~uint64_t{0} << 41;
constexpr uint64_t upper_half_bf16 = ~uint64_t{0} << 49;

template <class Vector>
NODEWISE_INLINE Vector load(const char* from) {
  Vector vector;
  memcpy(&vector, from, sizeof vector);
  return vector;
}

// Spelt out element by element, for so both compilers make it one instruction.
NODEWISE_INLINE Doubles widen(Floats f) {
#if defined(__AVX512F__)
  return Doubles{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]};
#elif defined(__AVX__)
  return Doubles{f[0], f[1], f[2], f[3]};
#else
  return Doubles{f[0], f[1]};
#endif
}

// Past the end of the data too, where it does no harm; so the address is a number, not a pointer.
NODEWISE_INLINE void prefetch(const char* at, size_t bytes, size_t ahead = prefetch_bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(at) + ahead;
  for (size_t line = 0; line < bytes; line += line_bytes)
    __builtin_prefetch(reinterpret_cast<const void*>(begin + line));
}

}  // namespace
}  // namespace nodewise::NODEWISE_KERNELS
