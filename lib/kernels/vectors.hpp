// Vectors for the loops over elements. They are as wide as those of the instruction set, and the compiler
// translates them. The build defines NODEWISE_KERNELS, the namespace, and sets the compiler flags of the
// instruction set. All functions here are inlined, so the object files of two instruction sets cannot have
// conflicting copies.
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
// Found by trying values from 0 to 16 KiB.
constexpr size_t prefetch_bytes = 1024;

typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef uint64_t Bits __attribute__((vector_size(vector_bytes)));
typedef float Floats __attribute__((vector_size(vector_bytes / 2)));  // as many as a Doubles has
typedef uint32_t Words __attribute__((vector_size(vector_bytes / 2)));

// Masks for the bits of a double with the upper half of the significand of an element that was converted to
// it.
constexpr uint64_t upper_half_f64 = ~uint64_t{0} << 27;
constexpr uint64_t upper_half_f32 = ~uint64_t{0} << 41;
constexpr uint64_t upper_half_bf16 = ~uint64_t{0} << 49;

template <class Vector>
NODEWISE_INLINE Vector load(const char* from) {
  Vector vector;
  memcpy(&vector, from, sizeof vector);
  return vector;
}

// Written element by element, because both compilers then make it one instruction.
NODEWISE_INLINE Doubles widen(Floats f) {
#if defined(__AVX512F__)
  return Doubles{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]};
#elif defined(__AVX__)
  return Doubles{f[0], f[1], f[2], f[3]};
#else
  return Doubles{f[0], f[1]};
#endif
}

// Prefetches behind the end of the data too, which does no harm. So the address is a number, not a pointer.
NODEWISE_INLINE void prefetch(const char* at, size_t bytes, size_t ahead = prefetch_bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(at) + ahead;
  for (size_t line = 0; line < bytes; line += line_bytes)
    __builtin_prefetch(reinterpret_cast<const void*>(begin + line));
}

}  // namespace
}  // namespace nodewise::NODEWISE_KERNELS
