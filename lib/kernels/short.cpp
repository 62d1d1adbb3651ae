// The sums of short batches. Each batch has a vector of sums. Two vectors of batches are added side by side,
// and each of them is then folded into one vector with a sum for each batch.
#include "kernels/set.hpp"

#include "kernels/elements.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

// If the loop over a vector of batches is unrolled, their rows stay in registers. This pays if a row is
// summed in little time: always for these elements, and for others of at least four bytes if a batch has 16
// elements. For the rest it had no measurable effect, and took half of the compile time of this file.
template <class Element>
constexpr bool summed_fast = Element::bytes == 8 || __is_same(Element, F16);

// The sum of a batch while it is computed: four vectors, so that no addition must wait for the one before.
// `even`: no element is left over. `sixteen`: there are 16 elements.
template <class Element, bool even, bool sixteen>
struct Summing {
  static constexpr bool unrolled = summed_fast<Element> || (sixteen && Element::bytes >= 4);
  static constexpr size_t vector_bytes_read = Element::bytes * vector_lanes;
  static constexpr size_t step_elements = 4 * vector_lanes;
  static constexpr size_t step_bytes = step_elements * Element::bytes;
  using Row = Doubles;
  Doubles a{}, b{}, c{}, d{};

  NODEWISE_INLINE void begin(Element& element, const char* at) {
    a = element.vector(at);
    b = element.vector(at + vector_bytes_read);
    c = element.vector(at + 2 * vector_bytes_read);
    d = element.vector(at + 3 * vector_bytes_read);
  }
  NODEWISE_INLINE void step(Element& element, const char* at) {
    a += element.vector(at);
    b += element.vector(at + vector_bytes_read);
    c += element.vector(at + 2 * vector_bytes_read);
    d += element.vector(at + 3 * vector_bytes_read);
  }
  NODEWISE_INLINE Doubles end(Element& element, const char* at, size_t elements) {
    for (; elements >= vector_lanes; elements -= vector_lanes, at += vector_bytes_read)
      a += element.vector(at);
    if constexpr (!even)
      for (; elements > 0; --elements, at += Element::bytes) b += Doubles{element.one(at)};
    return (a + b) + (c + d);
  }
};

// The same for the two halves of significands, separately.
struct Halved {
  Doubles upper{}, lower{};
  NODEWISE_INLINE void add(Doubles x, uint64_t mask) {
    const Doubles part = reinterpret_cast<Doubles>(reinterpret_cast<Bits>(x) & mask);
    upper += part;
    lower += x - part;
  }
};

template <class Element>
struct SummingHalves {
  static constexpr bool unrolled = true;
  static constexpr size_t vector_bytes_read = Element::bytes * vector_lanes;
  static constexpr size_t step_elements = 2 * vector_lanes;
  static constexpr size_t step_bytes = step_elements * Element::bytes;
  using Row = Halved;
  Halved a, b;

  NODEWISE_INLINE void begin(Element& element, const char* at) { step(element, at); }
  NODEWISE_INLINE void step(Element& element, const char* at) {
    a.add(element.vector(at), Element::upper);
    b.add(element.vector(at + vector_bytes_read), Element::upper);
  }
  NODEWISE_INLINE Halved end(Element& element, const char* at, size_t elements) {
    if (elements >= vector_lanes) {
      a.add(element.vector(at), Element::upper);
      elements -= vector_lanes;
      at += vector_bytes_read;
    }
    for (; elements > 0; --elements, at += Element::bytes) b.add(Doubles{element.one(at)}, Element::upper);
    return {a.upper + b.upper, a.lower + b.lower};
  }
};

template <class Sum, class Element>
NODEWISE_INLINE typename Sum::Row add(Element& element, const char* at, size_t elements) {
  Sum sum;
  for (; elements >= Sum::step_elements; elements -= Sum::step_elements, at += Sum::step_bytes)
    sum.step(element, at);
  return sum.end(element, at, elements);
}

// Two batches side by side, because memory delivers two streams faster than one.
template <class Sum, class Element>
NODEWISE_INLINE void add_two(Element& element, const char* first, const char* second, size_t elements,
                             typename Sum::Row& first_row, typename Sum::Row& second_row) {
  Sum a, b;
  prefetch(first, elements < Sum::step_elements ? 1 : Sum::step_bytes);
  prefetch(second, elements < Sum::step_elements ? 1 : Sum::step_bytes);
  if (elements >= Sum::step_elements) {
    a.begin(element, first);
    b.begin(element, second);
    elements -= Sum::step_elements;
    first += Sum::step_bytes;
    second += Sum::step_bytes;
  }
  for (; elements >= Sum::step_elements; elements -= Sum::step_elements) {
    prefetch(first, Sum::step_bytes);
    a.step(element, first);
    first += Sum::step_bytes;
    prefetch(second, Sum::step_bytes);
    b.step(element, second);
    second += Sum::step_bytes;
  }
  first_row = a.end(element, first, elements);
  second_row = b.end(element, second, elements);
}

// Adds the lanes of row i; the result is in lane i.
#if defined(__AVX512F__)
NODEWISE_INLINE Doubles fold_pair(Doubles a, Doubles b) {
  return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
         __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
}
NODEWISE_INLINE Doubles fold_four(Doubles a, Doubles b, Doubles c, Doubles d) {
  const Doubles ab = fold_pair(a, b), cd = fold_pair(c, d);
  return __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) +
         __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
}
NODEWISE_INLINE Doubles fold(const Doubles* row) {
  const Doubles first = fold_four(row[0], row[1], row[2], row[3]);
  const Doubles last = fold_four(row[4], row[5], row[6], row[7]);
  return __builtin_shufflevector(first, last, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(first, last, 4, 5, 6, 7, 12, 13, 14, 15);
}
#elif defined(__AVX__)
NODEWISE_INLINE Doubles fold_pair(Doubles a, Doubles b) {
  return __builtin_shufflevector(a, b, 0, 4, 2, 6) + __builtin_shufflevector(a, b, 1, 5, 3, 7);
}
NODEWISE_INLINE Doubles fold(const Doubles* row) {
  const Doubles ab = fold_pair(row[0], row[1]), cd = fold_pair(row[2], row[3]);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}
#else
NODEWISE_INLINE Doubles fold(const Doubles* row) {
  return __builtin_shufflevector(row[0], row[1], 0, 2) + __builtin_shufflevector(row[0], row[1], 1, 3);
}
#endif

// Calls put(rows, first batch, number of batches) for each vector of batches, alternating between the first
// and the second half of the batches.
template <class Sum, class Element, class Put>
NODEWISE_INLINE void for_batches(Element& element, const char* data, size_t elements, size_t batches,
                                 Put put) {
  using Row = typename Sum::Row;
  const size_t batch_bytes = elements * Element::bytes;
  const size_t half = batches / 2 / vector_lanes * vector_lanes;
  for (size_t batch = 0; batch < half; batch += vector_lanes) {
    Row first[vector_lanes], second[vector_lanes];
    const auto add_both = [&](size_t i) __attribute__((always_inline)) {
      add_two<Sum>(element, data + (batch + i) * batch_bytes, data + (half + batch + i) * batch_bytes,
                   elements, first[i], second[i]);
    };
    if constexpr (Sum::unrolled) {
#pragma GCC unroll 8
      for (size_t i = 0; i < vector_lanes; ++i) add_both(i);
    } else {
#pragma GCC unroll 1
      for (size_t i = 0; i < vector_lanes; ++i) add_both(i);
    }
    put(first, batch, vector_lanes);
    put(second, half + batch, vector_lanes);
  }
  for (size_t batch = 2 * half; batch < batches;) {
    const size_t some = batches - batch < vector_lanes ? batches - batch : vector_lanes;
    Row rows[vector_lanes] = {};
    for (size_t i = 0; i < some; ++i) rows[i] = add<Sum>(element, data + (batch + i) * batch_bytes, elements);
    put(rows, batch, some);
    batch += some;
  }
}

template <bool even, bool sixteen, class Element>
NODEWISE_INLINE void add_batches(Element& element, const char* at, size_t elements, size_t batches,
                                 double* sums) {
  for_batches<Summing<Element, even, sixteen>>(
      element, at, elements,
      batches, [&](const Doubles* rows, size_t batch, size_t count) __attribute__((always_inline)) {
        const Doubles folded = fold(rows);
        memcpy(sums + batch, &folded, count * sizeof(double));
      });
}

template <class Element>
bool sums(const void* data, size_t elements, size_t batches, double* sums) {
  Element element{};
  const char* at = static_cast<const char*>(data);
  if (elements == 16)
    add_batches<true, true>(element, at, 16, batches, sums);
  else if (elements % vector_lanes == 0)
    add_batches<true, false>(element, at, elements, batches, sums);
  else
    add_batches<false, false>(element, at, elements, batches, sums);
  return element.finite();
}

template <class Element>
bool half_sums(const void* data, size_t elements, size_t batches, double* upper, double* lower) {
  Element element{};
  for_batches<SummingHalves<Element>>(
      element, static_cast<const char*>(data), elements,
      batches, [&](const Halved* sums, size_t batch, size_t count) __attribute__((always_inline)) {
        Doubles uppers[vector_lanes], lowers[vector_lanes];
        for (size_t i = 0; i < vector_lanes; ++i) {
          uppers[i] = sums[i].upper;
          lowers[i] = sums[i].lower;
        }
        const Doubles folded_upper = fold(uppers), folded_lower = fold(lowers);
        memcpy(upper + batch, &folded_upper, count * sizeof(double));
        memcpy(lower + batch, &folded_lower, count * sizeof(double));
      });
  return element.finite();
}

// An infinity or NaN times zero is NaN. All other values times zero are zero and change nothing.
bool scale(double* sums, size_t count, double factor) {
  double zero = 0;
  for (size_t i = 0; i < count; ++i) {
    const double nothing = sums[i] * 0.0;
    zero += nothing;
    sums[i] = (sums[i] + 0.0) * factor + nothing;
  }
  return zero == 0;
}

bool divide(double* sums, size_t count, double unit, double divisor) {
  double zero = 0;
  for (size_t i = 0; i < count; ++i) {
    const double nothing = sums[i] * 0.0;
    zero += nothing;
    sums[i] = (sums[i] + 0.0) * unit / divisor + nothing;
  }
  return zero == 0;
}

#if defined(__FMA__)
// As divide() in exact_sum.cpp, which explains the bounds. Dividing by a power of two loses nothing.
bool divide_pairs(double* upper, const double* lower, size_t count, double divisor, bool power_of_two) {
  const double weight = power_of_two ? 0 : 1;
  double uncertain = 0;
  for (size_t i = 0; i < count; ++i) {
    const double sum = upper[i] + lower[i];
    const double part = sum - upper[i];
    const double rest = (upper[i] - (sum - part)) + (lower[i] - part);
    const double size = __builtin_fabs(sum);
    const double q = sum / divisor;
    const double correction = (__builtin_fma(-q, divisor, sum) + rest) / divisor * weight;
    const double margin = __builtin_fabs(correction) * 0x1p-50;
    const double least = q + (correction - margin);
    const double most = q + (correction + margin);
    const bool in_range = (size > 0x1p-500) & (size < 0x1p1000);
    const bool certain = (least == most) & in_range;
    upper[i] = certain ? least : __builtin_nan("");
    uncertain += certain ? 0.0 : 1.0;
  }
  return uncertain == 0;
}
#else
constexpr bool (*divide_pairs)(double*, const double*, size_t, double, bool) = nullptr;
#endif

// Only elements whose significands have halves are added in halves.
template <class Element>
constexpr ShortKernels::HalfSums half_sums_of() {
  if constexpr (requires { Element::upper; })
    return half_sums<Element>;
  else
    return nullptr;
}

template <class... Each>
constexpr ShortKernels kernels_of(Elements<Each...>) {
  return {{unit_of<Each>()...}, {sums<Each>...}, {half_sums_of<Each>()...}, scale, divide, divide_pairs};
}

}  // namespace

constinit const ShortKernels short_kernels = kernels_of(AllElements{});

}  // namespace nodewise::NODEWISE_KERNELS
