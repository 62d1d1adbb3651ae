// Reads elements as doubles, for all kernels. Each type has one reader, which reads a vector or a single
// element. The floating-point types of two bytes have a second reader, which reads four vectors at a time,
// for loops over much data.
#pragma once

#include <nodewise/dtype.hpp>

#include "kernels/vectors.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

// Elements of each type are read as a vector of doubles, or one by one. `upper` is a mask for the upper half
// of a significand, in the bits of a double.

template <class T>
struct Number {
  static constexpr size_t bytes = sizeof(T);
  typedef T Vector __attribute__((vector_size(sizeof(T) * vector_lanes)));
  NODEWISE_INLINE Doubles vector(const char* at) {
    return __builtin_convertvector(load<Vector>(at), Doubles);
  }
  NODEWISE_INLINE double one(const char* at) { return static_cast<double>(load<T>(at)); }
  NODEWISE_INLINE bool finite() const { return true; }
};

struct F64 : Number<double> {
  static constexpr uint64_t upper = upper_half_f64;
};

struct F32 : Number<float> {
  static constexpr uint64_t upper = upper_half_f32;
  NODEWISE_INLINE Doubles vector(const char* at) { return widen(load<Floats>(at)); }
};

typedef uint16_t Halves __attribute__((vector_size(sizeof(uint16_t) * vector_lanes)));

NODEWISE_INLINE float as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

struct Bf16 {
  static constexpr size_t bytes = 2;
  static constexpr uint64_t upper = upper_half_bf16;
  NODEWISE_INLINE Doubles vector(const char* at) {
    return widen(reinterpret_cast<Floats>(__builtin_convertvector(load<Halves>(at), Words) << 16));
  }
  NODEWISE_INLINE double one(const char* at) {
    return static_cast<double>(as_float(uint32_t{load<uint16_t>(at)} << 16));
  }
  NODEWISE_INLINE bool finite() const { return true; }
};

#if defined(__F16C__)
// Converts eight binary16 to two vectors of four doubles, or to one of eight.
typedef short EightHalves __attribute__((vector_size(16)));
NODEWISE_INLINE void widen_halves(EightHalves halves, Doubles* to) {
  const auto eight = __builtin_ia32_vcvtph2ps256(halves);
#if defined(__AVX512F__)
  to[0] = widen(eight);
#else
  to[0] = widen(__builtin_shufflevector(eight, eight, 0, 1, 2, 3));
  to[1] = widen(__builtin_shufflevector(eight, eight, 4, 5, 6, 7));
#endif
}

struct F16 {
  static constexpr size_t bytes = 2;
  static constexpr double unit = 1;
  NODEWISE_INLINE Doubles vector(const char* at) {
    Doubles both[2];
#if defined(__AVX512F__)
    widen_halves(load<EightHalves>(at), both);
#else
    typedef int64_t Two __attribute__((vector_size(16)));
    widen_halves(reinterpret_cast<EightHalves>(Two{load<int64_t>(at), 0}), both);
#endif
    return both[0];
  }
  NODEWISE_INLINE double one(const char* at) {
    Doubles both[2];
    widen_halves(EightHalves{load<int16_t>(at)}, both);
    return both[0][0];
  }
  NODEWISE_INLINE bool finite() const {
    return true;
  }
};
#else
// If the bits of a binary16 are moved to the place that they have in a binary32, their value is 2^-112 times
// what it was. An infinity or NaN has the greatest exponent, and adding 1 to that carries into bit 15.
struct F16 {
  static constexpr size_t bytes = 2;
  static constexpr double unit = 0x1p112;
  static constexpr uint32_t sign = 0x8000, magnitude = 0x7fff, one_exponent = 0x0400;
  Words marks{};
  NODEWISE_INLINE Doubles vector(const char* at) {
    const Words words = __builtin_convertvector(load<Halves>(at), Words);
    marks |= (words & magnitude) + one_exponent;
    return widen(reinterpret_cast<Floats>((words & sign) << 16 | (words & magnitude) << 13));
  }
  NODEWISE_INLINE double one(const char* at) {
    const uint32_t word = load<uint16_t>(at);
    marks[0] |= (word & magnitude) + one_exponent;
    return static_cast<double>(as_float((word & sign) << 16 | (word & magnitude) << 13));
  }
  NODEWISE_INLINE bool finite() const {
    uint32_t all = 0;
    for (size_t i = 0; i < vector_lanes; ++i) all |= marks[i];
    return all < sign;
  }
};
#endif

// Reads four vectors of two-byte elements at a time; each vector has every fourth element. The bits of an
// element are moved down by `shift`, to the place that they have in a double. The value of that double is the
// element divided by its unit (MeansKernels), also for subnormals. This is less work than converting one
// vector after the other, as the readers above do.
template <int shift>
class Fours {
 public:
  static constexpr size_t bytes = 2;
  static constexpr uint64_t upper = upper_half_bf16;  // f16 is never split into halves

  // Calls fn with vectors 0 to 3.
  template <class Fn>
  NODEWISE_INLINE void four(const char* at, Fn fn) {
    constexpr uint64_t upper_word = ~uint64_t{0} << 32;
    const FullWords words = load<FullWords>(at);
    see(words);
    const Bits odd = move_upper(words);
    fn(0, reinterpret_cast<Doubles>(odd & upper_word));
    fn(1, reinterpret_cast<Doubles>(odd << 32));
    const Bits even = move_upper(words << 16);
    fn(2, reinterpret_cast<Doubles>(even & upper_word));
    fn(3, reinterpret_cast<Doubles>(even << 32));
  }

  NODEWISE_INLINE bool finite() const {
    constexpr auto infinity = static_cast<uint16_t>(0xffffU << (5 + shift));
    bool all = true;
    for (size_t i = 0; i < sizeof greatest_ / sizeof(uint16_t); ++i) all &= greatest_[i] < infinity;
    return all;
  }

 private:
  typedef uint16_t FullHalves __attribute__((vector_size(vector_bytes)));
  typedef uint32_t FullWords __attribute__((vector_size(vector_bytes)));
  typedef int32_t SignedFullWords __attribute__((vector_size(vector_bytes)));

  // Remembers the greatest element without its sign. An infinity or NaN is recognised by its exponent.
  NODEWISE_INLINE void see(FullWords words) {
    const auto halves = reinterpret_cast<FullHalves>(words);
    const FullHalves twice = halves + halves;
    greatest_ = twice > greatest_ ? twice : greatest_;
  }
  // Moves the upper element of each word. The mask removes the copies of the sign above the exponent, and the
  // bits of the lower element.
  static NODEWISE_INLINE Bits move_upper(FullWords words) {
    constexpr uint32_t kept = 0x80000000U | (((1U << (31 - shift)) - 1) & ~((1U << (16 - shift)) - 1));
    const auto moved = reinterpret_cast<SignedFullWords>(words) >> shift;
    return reinterpret_cast<Bits>(reinterpret_cast<FullWords>(moved) & kept);
  }

  FullHalves greatest_{};
};

using Bf16Fours = Fours<3>;
using F16Fours = Fours<6>;

// The factor by which the doubles of a reader must be multiplied.
template <class Element>
constexpr double unit_of() {
  if constexpr (requires { Element::unit; })
    return Element::unit;
  else
    return 1;
}

// The readers of all element types, in the order of DType. The tables of kernels are made from this list.
template <class... Each>
struct Elements {
  static_assert(sizeof...(Each) == dtype_count, "each element type has a reader");
};
typedef Elements<F64, F32, F16, Bf16, Number<int64_t>, Number<int32_t>, Number<int16_t>, Number<int8_t>,
                 Number<uint64_t>, Number<uint32_t>, Number<uint16_t>, Number<uint8_t>>
    AllElements;

}  // namespace
}  // namespace nodewise::NODEWISE_KERNELS
