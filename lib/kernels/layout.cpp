// Transposes in registers. A vector has one or more lanes of 16 bytes, and interleaving transposes one square
// in each lane. So the squares that lie one below the other become full vectors, each with a part of one
// column.
#include "kernels/set.hpp"

#include "kernels/vectors.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

constexpr size_t lane_bytes = 16;
// At least this number of bytes is copied at once while other data is read, because copying fewer costs as
// much.
constexpr size_t least_copied = 1024;
// How far ahead of reading to prefetch, in bytes of a block's rows; found by trying.
constexpr size_t block_ahead = 4096;

typedef uint64_t OneLane __attribute__((vector_size(lane_bytes)));
typedef uint64_t TwoLanes __attribute__((vector_size(2 * lane_bytes)));

template <size_t... i>
struct Indices {};
template <size_t n, size_t... i>
struct MakeIndices : MakeIndices<n - 1, n - 1, i...> {};
template <size_t... i>
struct MakeIndices<0, i...> {
  using type = Indices<i...>;
};

// A vector of T with `bytes` bytes, and the squares that it transposes.
template <class T, size_t bytes>
struct Squares {
  static constexpr size_t side = lane_bytes / sizeof(T);
  static constexpr size_t rows = bytes / sizeof(T);
  typedef T Vector __attribute__((vector_size(bytes)));
  using All = typename MakeIndices<rows>::type;

  // Which element becomes number k if the lower halves of the lanes of two vectors are interleaved; their
  // upper halves with from = side / 2.
  static constexpr size_t source(size_t k, size_t from) {
    return k / side * side + from + k % side / 2 + (k % 2 == 0 ? 0 : rows);
  }
  template <size_t from, size_t... k>
  static NODEWISE_INLINE Vector interleave(Vector a, Vector b, Indices<k...>) {
    return __builtin_shufflevector(a, b, source(k, from)...);
  }

  // Loads 16 bytes of one row for each lane; these rows are `side` rows apart.
  static NODEWISE_INLINE Vector gather(const char* from, size_t stride_bytes) {
    const OneLane first = load<OneLane>(from);
    if constexpr (bytes == lane_bytes) return reinterpret_cast<Vector>(first);
    const size_t apart = side * stride_bytes;
    const OneLane second = load<OneLane>(from + apart);
    const TwoLanes two = {first[0], first[1], second[0], second[1]};
    if constexpr (bytes == 2 * lane_bytes) return reinterpret_cast<Vector>(two);
#if defined(__AVX512F__)
    if constexpr (bytes == 4 * lane_bytes) {
      const OneLane third = load<OneLane>(from + 2 * apart), fourth = load<OneLane>(from + 3 * apart);
      const TwoLanes upper = {third[0], third[1], fourth[0], fourth[1]};
      return reinterpret_cast<Vector>(__builtin_shufflevector(two, upper, 0, 1, 2, 3, 4, 5, 6, 7));
    }
#endif
  }

  template <size_t stages>
  static NODEWISE_INLINE void zip(Vector* v) {
    if constexpr (stages > 0) {
      Vector zipped[side];
#pragma GCC unroll 8
      for (size_t i = 0; i < side / 2; ++i) {
        zipped[2 * i] = interleave<0>(v[i], v[i + side / 2], All());
        zipped[2 * i + 1] = interleave<side / 2>(v[i], v[i + side / 2], All());
      }
      zip<stages / 2>(zipped);
#pragma GCC unroll 16
      for (size_t i = 0; i < side; ++i) v[i] = zipped[i];
    }
  }

  // Transposes `rows` rows and `side` columns.
  static NODEWISE_INLINE void transpose(const char* from, size_t from_stride, char* to, size_t to_stride) {
    Vector v[side];
#pragma GCC unroll 16
    for (size_t i = 0; i < side; ++i) v[i] = gather(from + i * from_stride, from_stride);
    zip<side / 2>(v);
#pragma GCC unroll 16
    for (size_t i = 0; i < side; ++i) memcpy(to + i * to_stride, &v[i], sizeof v[i]);
  }
};

#if defined(__x86_64__)
NODEWISE_INLINE void store_past_caches(char* to, Bits value) {
#if defined(__clang__)
  __builtin_nontemporal_store(value, reinterpret_cast<Bits*>(to));
#elif defined(__AVX512F__)
  typedef long long Stored __attribute__((vector_size(vector_bytes)));
  __builtin_ia32_movntdq512(reinterpret_cast<Stored*>(to), reinterpret_cast<Stored>(value));
#elif defined(__AVX__)
  typedef long long Stored __attribute__((vector_size(vector_bytes)));
  __builtin_ia32_movntdq256(reinterpret_cast<Stored*>(to), reinterpret_cast<Stored>(value));
#else
  typedef long long Stored __attribute__((vector_size(vector_bytes)));
  __builtin_ia32_movntdq(reinterpret_cast<Stored*>(to), reinterpret_cast<Stored>(value));
#endif
}
void fence() {
  __builtin_ia32_sfence();
}
#else
NODEWISE_INLINE void store_past_caches(char* to, Bits value) {
  memcpy(to, &value, sizeof value);
}
void fence() {}
#endif

NODEWISE_INLINE void stream(const char* from, char* to, size_t bytes) {
  const size_t head = (line_bytes - reinterpret_cast<uintptr_t>(to) % line_bytes) % line_bytes;
  if (bytes < head + line_bytes) {
    memcpy(to, from, bytes);
    return;
  }
  if (head > 0) memcpy(to, from, head);
  size_t at = head;
  for (; at + line_bytes <= bytes; at += line_bytes)
#pragma GCC unroll 4
    for (size_t i = 0; i < line_bytes; i += vector_bytes)
      store_past_caches(to + at + i, load<Bits>(from + at + i));
  if (at < bytes) memcpy(to + at, from + at, bytes - at);
}

// Copies as much of `runs` as its credit allows, in whole cache lines of the target.
NODEWISE_INLINE void copy_meanwhile(LayoutRuns& runs, size_t credit, bool past_caches) {
  runs.credit += credit;
  if (runs.credit < least_copied) return;
  while (runs.count > 0) {
    const char* const from = runs.from + runs.done;
    char* const to = runs.to + runs.done;
    const size_t left = runs.bytes - runs.done;
    size_t some = left;
    if (runs.credit < left) {
      const size_t over = (reinterpret_cast<uintptr_t>(to) + runs.credit) % line_bytes;
      if (runs.credit < line_bytes || runs.credit <= over) return;
      some = runs.credit - over;
    }
    if (past_caches)
      stream(from, to, some);
    else
      memcpy(to, from, some);
    runs.credit -= some;
    runs.done += some;
    if (runs.done < runs.bytes) return;
    runs.done = 0;
    runs.from += runs.from_stride;
    runs.to += runs.to_stride;
    --runs.count;
  }
}

void finish(LayoutRuns& runs, bool past_caches) {
  copy_meanwhile(runs, ~size_t{0} - runs.credit, past_caches);
  runs = LayoutRuns();
}

template <class T>
void transpose_plainly(const char* from, size_t from_stride, char* to, size_t to_stride, size_t rows,
                       size_t cols) {
  for (size_t row = 0; row < rows; ++row)
    for (size_t col = 0; col < cols; ++col)
      memcpy(to + col * to_stride + row * sizeof(T), from + row * from_stride + col * sizeof(T), sizeof(T));
}

// At an edge, squares overlap with the ones before, so some elements are transposed twice. Strides are in
// bytes. Precondition: there are at least as many rows and columns as a square has.
template <class T, size_t bytes>
NODEWISE_INLINE void transpose_squares(const char* from, size_t from_stride, char* to, size_t to_stride,
                                       size_t rows, size_t cols, LayoutRuns& meanwhile, bool past_caches) {
  using Square = Squares<T, bytes>;
  constexpr size_t side = Square::side, line = line_bytes / sizeof(T);
  const size_t groups_ahead = 1 + block_ahead / (Square::rows * cols * sizeof(T));
  const size_t ahead = groups_ahead * Square::rows * from_stride;
  for (size_t done = 0; done < rows; done += Square::rows) {
    const size_t row = done + Square::rows <= rows ? done : rows - Square::rows;
    const char* const at = from + row * from_stride;
    char* const into = to + row * sizeof(T);
    uintptr_t next_row = reinterpret_cast<uintptr_t>(at) + ahead, next = next_row;
    size_t col = 0;
    for (; col + line <= cols; col += line) {
      for (size_t i = 0; i < Square::rows; ++i) {
        __builtin_prefetch(reinterpret_cast<const void*>(next));
        next += line_bytes;
        if (next - next_row >= cols * sizeof(T)) next = next_row += from_stride;
      }
      for (size_t i = col; i < col + line; i += side)
        Square::transpose(at + i * sizeof(T), from_stride, into + i * to_stride, to_stride);
      copy_meanwhile(meanwhile, Square::rows * line_bytes, past_caches);
    }
    for (; col < cols; col += side) {
      const size_t i = col + side <= cols ? col : cols - side;
      Square::transpose(at + i * sizeof(T), from_stride, into + i * to_stride, to_stride);
    }
  }
}

template <class T>
void transpose(const void* from, size_t from_stride, void* to, size_t to_stride, size_t rows, size_t cols,
               LayoutRuns& meanwhile, bool past_caches) {
  const auto* const at = static_cast<const char*>(from);
  auto* const into = static_cast<char*>(to);
  from_stride *= sizeof(T);
  to_stride *= sizeof(T);
  constexpr size_t side = lane_bytes / sizeof(T);
  if (cols < side || rows < side)
    transpose_plainly<T>(at, from_stride, into, to_stride, rows, cols);
  else if (rows >= vector_bytes / sizeof(T))
    transpose_squares<T, vector_bytes>(at, from_stride, into, to_stride, rows, cols, meanwhile, past_caches);
  else
    transpose_squares<T, lane_bytes>(at, from_stride, into, to_stride, rows, cols, meanwhile, past_caches);
}

template <size_t bytes>
NODEWISE_INLINE void gather_each(const char* from, size_t from_stride, char* to, size_t to_stride,
                                 size_t count, size_t ahead, LayoutRuns& meanwhile, bool past_caches) {
  for (size_t i = 0; i < count; ++i) {
    const char* const at = from + i * from_stride;
    prefetch(at, bytes, ahead);
    memcpy(to + i * to_stride, at, bytes);
    copy_meanwhile(meanwhile, bytes, past_caches);
  }
}

void gather(const void* from, size_t from_stride, void* to, size_t to_stride, size_t bytes, size_t count,
            size_t ahead, LayoutRuns& meanwhile, bool past_caches) {
  const auto* const at = static_cast<const char*>(from);
  auto* const into = static_cast<char*>(to);
  switch (bytes) {  // the bytes of a tile's column
    case 16:
      return gather_each<16>(at, from_stride, into, to_stride, count, ahead, meanwhile, past_caches);
    case 32:
      return gather_each<32>(at, from_stride, into, to_stride, count, ahead, meanwhile, past_caches);
    case 64:
      return gather_each<64>(at, from_stride, into, to_stride, count, ahead, meanwhile, past_caches);
    case 128:
      return gather_each<128>(at, from_stride, into, to_stride, count, ahead, meanwhile, past_caches);
    default:
      for (size_t i = 0; i < count; ++i) memcpy(into + i * to_stride, at + i * from_stride, bytes);
  }
}

}  // namespace

const LayoutKernels layout_kernels = {
    {transpose<uint8_t>, transpose<uint16_t>, transpose<uint32_t>, transpose<uint64_t>},
    gather,
    finish,
    fence,
};

}  // namespace nodewise::NODEWISE_KERNELS
