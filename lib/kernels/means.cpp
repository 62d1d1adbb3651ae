// One plain loop for each kind of element, over rows of 32 elements that become 32 running sums, or fewer.
#include "kernels/set.hpp"

#include "kernels/vectors.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

constexpr size_t lane_count = MeansKernels::lane_count;
constexpr size_t vectors = lane_count / vector_lanes;

typedef uint16_t Halves __attribute__((vector_size(vector_bytes)));
typedef uint32_t FullWords __attribute__((vector_size(vector_bytes)));
typedef int32_t SignedFullWords __attribute__((vector_size(vector_bytes)));

struct Row {
  Doubles v[vectors];
};

NODEWISE_INLINE void put(double* lanes, const Row& row) {
  memcpy(lanes, &row, sizeof row);
}

NODEWISE_INLINE double add_up(const Row& row) {
  double lanes[lane_count];
  put(lanes, row);
  for (size_t half = lane_count / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

// Infinities and NaNs times zero are NaN.
NODEWISE_INLINE bool finite(const Row& row) {
  Row zeros;
  for (size_t i = 0; i < vectors; ++i) zeros.v[i] = row.v[i] * 0.0;
  return add_up(zeros) == 0;
}

// Where infinities and NaNs stay in the sums, nothing need be seen of the elements.
struct SumsCheck {
  NODEWISE_INLINE bool finite(const Row& sums) const { return NODEWISE_KERNELS::finite(sums); }
};

// Each kind of float reads one row, or adds one to sums, and lets its check see it. `upper` keeps the upper
// half of a significand, in the bits of a double.

struct F64 {
  static constexpr size_t bytes = 8;
  static constexpr uint64_t upper = upper_half_f64;
  static constexpr size_t ahead = prefetch_bytes;
  using Check = SumsCheck;
  static NODEWISE_INLINE Row row(const char* at, Check) {
    Row x;
    for (size_t i = 0; i < vectors; ++i) x.v[i] = load<Doubles>(at + i * vector_bytes);
    return x;
  }
  static NODEWISE_INLINE void add(const char* at, Row& sums, Check) {
    for (size_t i = 0; i < vectors; ++i) sums.v[i] += load<Doubles>(at + i * vector_bytes);
  }
};

struct F32 {
  static constexpr size_t bytes = 4;
  static constexpr uint64_t upper = upper_half_f32;
  static constexpr size_t ahead = prefetch_bytes;
  using Check = SumsCheck;
  static NODEWISE_INLINE Row row(const char* at, Check) {
    Row x;
    for (size_t i = 0; i < vectors; ++i) x.v[i] = widen(load<Floats>(at + i * sizeof(Floats)));
    return x;
  }
  static NODEWISE_INLINE void add(const char* at, Row& sums, Check) {
    for (size_t i = 0; i < vectors; ++i) sums.v[i] += widen(load<Floats>(at + i * sizeof(Floats)));
  }
};

// Elements of two bytes. Their bits, moved down by `shift`, are where a double has them, and so the value of
// each divided by its unit (MeansKernels), of subnormals too: that is less work than having them converted.
template <int shift>
struct TwoBytes {
  static constexpr size_t bytes = 2;
  static constexpr size_t ahead = 3 * prefetch_bytes;  // found by trying, as that
  static constexpr uint64_t upper = upper_half_bf16;   // of f16 nobody asks for halves

  // The greatest of all, without their signs: an infinity or NaN is known by its exponent.
  class Check {
   public:
    NODEWISE_INLINE void see(FullWords words) {
      const auto halves = reinterpret_cast<Halves>(words);
      const Halves twice = halves + halves;
      greatest_ = twice > greatest_ ? twice : greatest_;
    }
    NODEWISE_INLINE bool finite(const Row&) const {
      constexpr auto infinity = static_cast<uint16_t>(0xffffU << (5 + shift));
      bool all = true;
      for (size_t i = 0; i < sizeof greatest_ / sizeof(uint16_t); ++i) all &= greatest_[i] < infinity;
      return all;
    }

   private:
    Halves greatest_{};
  };

  static NODEWISE_INLINE Row row(const char* at, Check& check) {
    Row x;
    for (size_t i = 0; i < vectors; i += 4) {
      const FullWords words = load<FullWords>(at + i / 4 * vector_bytes);
      check.see(words);
      widen(
          words, [&](size_t j, Doubles some) __attribute__((always_inline)) { x.v[i + j] = some; });
    }
    return x;
  }

  // One vector after the other and into four sums, so that all stays in registers.
  static NODEWISE_INLINE void add(const char* at, Row& sums, Check& check) {
    for (size_t i = 0; i < vectors; i += 4) {
      const FullWords words = load<FullWords>(at + i / 4 * vector_bytes);
      check.see(words);
      widen(
          words, [&](size_t j, Doubles some) __attribute__((always_inline)) { sums.v[j] += some; });
    }
  }

 private:
  // Calls fn with vectors 0 to 3, each of every fourth element.
  template <class Fn>
  static NODEWISE_INLINE void widen(FullWords words, Fn fn) {
    constexpr uint64_t upper_word = ~uint64_t{0} << 32;
    const Bits odd = move_upper(words);
    fn(0, reinterpret_cast<Doubles>(odd & upper_word));
    fn(1, reinterpret_cast<Doubles>(odd << 32));
    const Bits even = move_upper(words << 16);
    fn(2, reinterpret_cast<Doubles>(even & upper_word));
    fn(3, reinterpret_cast<Doubles>(even << 32));
  }
  // Of the upper element of each word. The mask takes away the sign's copies above the exponent, and what
  // came from the lower element.
  static NODEWISE_INLINE Bits move_upper(FullWords words) {
    constexpr uint32_t kept = 0x80000000U | (((1U << (31 - shift)) - 1) & ~((1U << (16 - shift)) - 1));
    const auto moved = reinterpret_cast<SignedFullWords>(words) >> shift;
    return reinterpret_cast<Bits>(reinterpret_cast<FullWords>(moved) & kept);
  }
};

using Bf16 = TwoBytes<3>;
using F16 = TwoBytes<6>;

NODEWISE_INLINE Row get(const double* lanes) {
  return F64::row(reinterpret_cast<const char*>(lanes), {});
}

// Calls step(address) for each of `rows` rows, by turns from the first half and from the second: memory
// delivers two streams faster than one.
template <size_t row_bytes, size_t ahead, class Step>
NODEWISE_INLINE void for_rows_in_two_streams(const char* at, size_t rows, Step step) {
  const size_t half_bytes = rows / 2 * row_bytes;
  for (const char* const end = at + half_bytes; at != end; at += row_bytes) {
    prefetch(at, row_bytes, ahead);
    step(at);
    prefetch(at + half_bytes, row_bytes, ahead);
    step(at + half_bytes);
  }
  if (rows % 2 != 0) step(at + half_bytes);
}

// Calls step(address) for what does not fill a row, copied and filled up with zeros.
template <class Element, class Step>
NODEWISE_INLINE void for_rest(const char* end, size_t count, Step step) {
  const size_t rest = count % lane_count;
  if (rest == 0) return;
  char last[Element::bytes * lane_count] = {};
  memcpy(last, end - rest * Element::bytes, rest * Element::bytes);
  step(last);
}

// Calls step(address of a row) for each row, the last one filled up with zeros.
template <class Element, class Step>
NODEWISE_INLINE void for_rows(const void* data, size_t count, Step step) {
  const char* at = static_cast<const char*>(data);
  for_rows_in_two_streams<Element::bytes * lane_count, Element::ahead>(at, count / lane_count, step);
  for_rest<Element>(at + count * Element::bytes, count, step);
}

// The same, from the first row to the last.
template <class Element, class Step>
NODEWISE_INLINE void for_rows_in_order(const void* data, size_t count, Step step) {
  constexpr size_t row_bytes = Element::bytes * lane_count;
  const char* at = static_cast<const char*>(data);
  for (const char* const end = at + count / lane_count * row_bytes; at != end; at += row_bytes) {
    prefetch(at, row_bytes);
    step(at);
  }
  for_rest<Element>(static_cast<const char*>(data) + count * Element::bytes, count, step);
}

template <class Element>
bool sum(const void* data, size_t count, double* lanes) {
  Row s = get(lanes);
  typename Element::Check check;
  for_rows<Element>(
      data, count, [&](const char* at) __attribute__((always_inline)) { Element::add(at, s, check); });
  put(lanes, s);
  return check.finite(s);
}

template <class Element>
bool split(const void* data, size_t count, double* lanes) {
  Row s = get(lanes);
  Row t = get(lanes + lane_count);
  typename Element::Check check;
  for_rows<Element>(
      data, count, [&](const char* at) __attribute__((always_inline)) {
        const Row x = Element::row(at, check);
        for (size_t i = 0; i < vectors; ++i) {
          const Doubles upper = reinterpret_cast<Doubles>(reinterpret_cast<Bits>(x.v[i]) & Element::upper);
          s.v[i] += upper;
          t.v[i] += x.v[i] - upper;
        }
      });
  put(lanes, s);
  put(lanes + lane_count, t);
  return check.finite(s) && check.finite(t);
}

// TwoSum (Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B). `errors` may be `data`.
template <class Element>
bool distil(const void* data, size_t count, double* lanes, double* errors) {
  Row s = get(lanes);
  typename Element::Check check;
  for_rows_in_order<Element>(
      data, count, [&](const char* at) __attribute__((always_inline)) {
        const Row x = Element::row(at, check);
        Row e;
        for (size_t i = 0; i < vectors; ++i) {
          const Doubles t = s.v[i] + x.v[i];
          const Doubles z = t - s.v[i];
          e.v[i] = (s.v[i] - (t - z)) + (x.v[i] - z);
          s.v[i] = t;
        }
        put(errors, e);
        errors += lane_count;
      });
  put(lanes, s);
  return check.finite(s);
}

double total(const double* lanes) {
  return add_up(get(lanes));
}

// Words of an integer type, and how many rows of half words they can add up.
template <class Word, size_t most_rows>
struct Integers {
  typedef Word Vector __attribute__((vector_size(vector_bytes)));
  static constexpr size_t row_bytes = 2 * line_bytes;
  static constexpr size_t vectors = row_bytes / vector_bytes;
  static constexpr int half = sizeof(Word) * 4;
  static constexpr Word lower = static_cast<Word>(static_cast<Word>(~Word{0}) >> half);

  // Precondition: at most most_rows.
  static NODEWISE_INLINE void add_rows(const char* at, size_t rows, Vector flip, uint64_t* totals) {
    Vector low[vectors] = {};
    Vector high[vectors] = {};
    for_rows_in_two_streams<row_bytes, prefetch_bytes>(
        at, rows, [&](const char* row) __attribute__((always_inline)) {
          for (size_t i = 0; i < vectors; ++i) {
            const Vector x = load<Vector>(row + i * vector_bytes) ^ flip;
            low[i] += x & lower;
            high[i] += x >> half;
          }
        });
    for (size_t i = 0; i < vectors; ++i)
      for (size_t j = 0; j < vector_bytes / sizeof(Word); ++j) {
        totals[0] += low[i][j];
        totals[1] += high[i][j];
      }
  }

  static NODEWISE_INLINE void add(const char* at, size_t bytes, uint64_t flip, uint64_t* totals) {
    const Vector flips = reinterpret_cast<Vector>(Bits{} + flip);
    size_t rows = bytes / row_bytes;
    while (rows > 0) {
      const size_t some = rows < most_rows ? rows : most_rows;
      add_rows(at, some, flips, totals);
      at += some * row_bytes;
      rows -= some;
    }
    const size_t rest = bytes % row_bytes;
    if (rest == 0) return;
    char last[row_bytes];
    for (size_t i = 0; i < row_bytes; i += sizeof flips)
      memcpy(last + i, &flips, sizeof flips);  // zeros, flipped
    memcpy(last, at, rest);
    add_rows(last, 1, flips, totals);
  }
};

template <class Word, size_t most_rows, size_t element_bytes>
void sum_integers(const void* data, size_t count, uint64_t flip, uint64_t* totals) {
  Integers<Word, most_rows>::add(static_cast<const char*>(data), count * element_bytes, flip, totals);
}

}  // namespace

const MeansKernels means_kernels = {
    sum<F64>,
    sum<F32>,
    sum<F16>,
    sum<Bf16>,
    split<F64>,
    split<F32>,
    split<Bf16>,
    distil<F64>,
    distil<F32>,
    distil<Bf16>,
    total,
    sum_integers<uint16_t, 256, 1>,
    sum_integers<uint32_t, 65536, 2>,
    sum_integers<uint64_t, size_t{1} << 30, 4>,
    sum_integers<uint64_t, size_t{1} << 30, 8>,
};

}  // namespace nodewise::NODEWISE_KERNELS
