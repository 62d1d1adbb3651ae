// One plain loop for each kind of element. It goes over rows of 32 elements, and adds them to 32 or fewer
// running sums.
#include "kernels/set.hpp"

#include "kernels/elements.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

constexpr size_t lane_count = MeansKernels::lane_count;
constexpr size_t vectors = lane_count / vector_lanes;

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

// An infinity or NaN times zero is NaN.
NODEWISE_INLINE bool finite(const Row& row) {
  Row zeros;
  for (size_t i = 0; i < vectors; ++i) zeros.v[i] = row.v[i] * 0.0;
  return add_up(zeros) == 0;
}

// If infinities and NaN stay in the sums, the elements need not be checked.
struct SumsCheck {
  NODEWISE_INLINE bool finite(const Row& sums) const { return NODEWISE_KERNELS::finite(sums); }
};

// Each type below reads one row, or adds one row to sums. Its check sees all elements.

// F64 and F32: elements in order, into as many sums as a row has vectors.
template <class Element>
struct InOrder : Element {
  static constexpr size_t vector_bytes_read = Element::bytes * vector_lanes;
  static constexpr size_t ahead = prefetch_bytes;
  using Check = SumsCheck;
  static NODEWISE_INLINE Row row(const char* at, Check) {
    Row x;
    Element element;
    for (size_t i = 0; i < vectors; ++i) x.v[i] = element.vector(at + i * vector_bytes_read);
    return x;
  }
  static NODEWISE_INLINE void add(const char* at, Row& sums, Check) {
    Element element;
    for (size_t i = 0; i < vectors; ++i) sums.v[i] += element.vector(at + i * vector_bytes_read);
  }
};

// F16 and Bf16: four vectors at a time; each has every fourth element.
template <class Element>
struct InFours {
  static constexpr size_t bytes = Element::bytes;
  // Found by trying, as prefetch_bytes was
  static constexpr size_t ahead = 3 * prefetch_bytes;
  static constexpr uint64_t upper = Element::upper;
  struct Check {
    Element element;
    NODEWISE_INLINE bool finite(const Row&) const { return element.finite(); }
  };

  static NODEWISE_INLINE Row row(const char* at, Check& check) {
    Row x;
    for (size_t i = 0; i < vectors; i += 4)
      check.element.four(
          at + i / 4 * vector_bytes, [&](size_t j, Doubles some)
                                         __attribute__((always_inline)) { x.v[i + j] = some; });
    return x;
  }
  // Adds one vector after the other to four sums, so that everything stays in registers.
  static NODEWISE_INLINE void add(const char* at, Row& sums, Check& check) {
    for (size_t i = 0; i < vectors; i += 4)
      check.element.four(
          at + i / 4 * vector_bytes, [&](size_t j, Doubles some)
                                         __attribute__((always_inline)) { sums.v[j] += some; });
  }
};

using F64Rows = InOrder<F64>;
using F32Rows = InOrder<F32>;
using F16Rows = InFours<F16Fours>;
using Bf16Rows = InFours<Bf16Fours>;

NODEWISE_INLINE Row get(const double* lanes) {
  return F64Rows::row(reinterpret_cast<const char*>(lanes), {});
}

// Calls step(address) for each of `rows` rows, alternating between the first and the second half, because
// memory delivers two streams faster than one.
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

// Calls step(address) for the elements behind the last full row. They are copied, and the row is filled up
// with zeros.
template <class Element, class Step>
NODEWISE_INLINE void for_rest(const char* end, size_t count, Step step) {
  const size_t rest = count % lane_count;
  if (rest == 0) return;
  char last[Element::bytes * lane_count] = {};
  memcpy(last, end - rest * Element::bytes, rest * Element::bytes);
  step(last);
}

// Calls step(address of a row) for each row. The last row is filled up with zeros.
template <class Element, class Step>
NODEWISE_INLINE void for_rows(const void* data, size_t count, Step step) {
  const char* at = static_cast<const char*>(data);
  for_rows_in_two_streams<Element::bytes * lane_count, Element::ahead>(at, count / lane_count, step);
  for_rest<Element>(at + count * Element::bytes, count, step);
}

// The same in order, from the first row to the last.
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

// TwoSum (Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B). `errors` may be the same
// memory as `data`.
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

// Words of an integer type, and the number of rows of half words that can be added without overflow.
template <class Word, size_t most_rows>
struct Integers {
  typedef Word Vector __attribute__((vector_size(vector_bytes)));
  static constexpr size_t row_bytes = 2 * line_bytes;
  static constexpr size_t vectors = row_bytes / vector_bytes;
  static constexpr int half = sizeof(Word) * 4;
  static constexpr Word lower = static_cast<Word>(static_cast<Word>(~Word{0}) >> half);

  // Precondition: there are at most most_rows rows.
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
      memcpy(last + i, &flips, sizeof flips);  // zeros that are flipped
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
    sum<F64Rows>,
    sum<F32Rows>,
    sum<F16Rows>,
    sum<Bf16Rows>,
    split<F64Rows>,
    split<F32Rows>,
    split<Bf16Rows>,
    distil<F64Rows>,
    distil<F32Rows>,
    distil<Bf16Rows>,
    total,
    sum_integers<uint16_t, 256, 1>,
    sum_integers<uint32_t, 65536, 2>,
    sum_integers<uint64_t, size_t{1} << 30, 4>,
    sum_integers<uint64_t, size_t{1} << 30, 8>,
};

}  // namespace nodewise::NODEWISE_KERNELS
