// Lower bounds and hand-written loops, compiled for the processor at hand, as plainly as they can be fast.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include <nodewise/dtype.hpp>

#include "base/checked.hpp"

namespace bench {

inline constexpr std::size_t line_bytes = 64;

#if defined(__AVX512F__)
inline constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr std::size_t vector_bytes = 32;
#else
inline constexpr std::size_t vector_bytes = 16;
#endif
typedef std::uint64_t Vector __attribute__((vector_size(vector_bytes), aligned(1), may_alias));

/// Reads every byte and keeps something of each, by one thread: two cache lines at a time from each of
/// `places` (1 or 2) places, prefetching `ahead` bytes ahead, or not (0). Which is the fastest depends on the
/// machine and on where the bytes are; the fastest is the bound.
template <std::size_t places, std::size_t ahead>
std::uint64_t read_pass(const std::byte* data, std::size_t bytes) {
  constexpr std::size_t step = 2 * line_bytes, vectors = step / vector_bytes;
  const std::size_t part = bytes / places / step * step;
  Vector kept[places][vectors] = {};
  for (std::size_t at = 0; at < part; at += step)
    for (std::size_t place = 0; place < places; ++place) {
      const std::byte* from = data + place * part + at;
      if constexpr (ahead > 0) {
        __builtin_prefetch(from + ahead);
        __builtin_prefetch(from + ahead + line_bytes);
      }
      for (std::size_t i = 0; i < vectors; ++i)
        kept[place][i] |= *reinterpret_cast<const Vector*>(from + i * vector_bytes);
    }
  std::uint64_t all = 0;
  for (const auto& vectors_kept : kept)
    for (const Vector& vector : vectors_kept)
      for (std::size_t i = 0; i < vector_bytes / sizeof all; ++i) all |= vector[i];
  for (std::size_t at = places * part; at < bytes; ++at) all |= static_cast<std::uint64_t>(data[at]);
  return all;
}

struct ReadPass {
  const char* name;
  std::uint64_t (*pass)(const std::byte* data, std::size_t bytes);
};
inline constexpr ReadPass read_passes[] = {{"read_one_place", read_pass<1, 0>},
                                           {"read_one_place_prefetched", read_pass<1, 2048>},
                                           {"read_two_places", read_pass<2, 0>},
                                           {"read_one_place_far_prefetched", read_pass<1, 8192>},
                                           {"read_two_places_prefetched", read_pass<2, 4096>}};

/// An element as a double.
template <class T>
double number(T value) {
  if constexpr (std::is_arithmetic_v<T>) return static_cast<double>(value);
#if defined(__F16C__)
  else if constexpr (std::is_same_v<T, nodewise::float16>)
    return static_cast<double>(_cvtsh_ss(std::bit_cast<unsigned short>(value)));
#endif
  else
    return static_cast<double>(static_cast<float>(value));
}

/// The loop that many would write, vectorised: in doubles.
template <class T>
double sum_simd(const T* data, std::size_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < count; ++i) sum += number(data[i]);
  return sum;
}

/// The same for integers as integers, which is exact: in 64 bits, or where they have 64 themselves in 128.
template <class T>
double sum_integers(const T* data, std::size_t count) {
  using nodewise::base::Int128, nodewise::base::Uint128;
  using Wide = std::conditional_t<std::is_signed_v<T>, Int128, Uint128>;
  using Narrow = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
  if constexpr (sizeof(T) == 8) {
    Wide sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<Wide>(data[i]);
    return static_cast<double>(sum);
  } else {
    Narrow sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<Narrow>(data[i]);
    return static_cast<double>(sum);
  }
}

/// Converts and adds in 32 lanes of doubles, and prefetches: as accurate as nodewise where nothing rounds.
template <class T>
double sum_lanes(const T* data, std::size_t count) {
  constexpr std::size_t lanes = 32;
  double sums[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::size_t line = 0; line < lanes * sizeof(T); line += line_bytes)
      __builtin_prefetch(reinterpret_cast<const std::byte*>(data + i) + 2048 + line);
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += number(data[i + lane]);
  }
  double sum = 0;
  for (const double lane : sums) sum += lane;
  for (; i < count; ++i) sum += number(data[i]);
  return sum;
}

#if defined(__F16C__) && defined(__AVX__)
template <>
inline double sum_lanes(const nodewise::float16* data, std::size_t count) {
  constexpr std::size_t lanes = 32;
  __m256d sums[lanes / 4] = {};
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    _mm_prefetch(reinterpret_cast<const char*>(data + i) + 2048, _MM_HINT_T0);
    for (std::size_t lane = 0; lane < lanes; lane += 8) {
      const __m256 eight =
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(data + i + lane)));
      sums[lane / 4] = _mm256_add_pd(sums[lane / 4], _mm256_cvtps_pd(_mm256_castps256_ps128(eight)));
      sums[lane / 4 + 1] =
          _mm256_add_pd(sums[lane / 4 + 1], _mm256_cvtps_pd(_mm256_extractf128_ps(eight, 1)));
    }
  }
  double sum = 0;
  for (const __m256d& four : sums)
    for (std::size_t lane = 0; lane < 4; ++lane) sum += four[lane];
  for (; i < count; ++i) sum += number(data[i]);
  return sum;
}
#endif

/// In 16 lanes of doubles, each with the rounding errors of its additions (Knuth's TwoSum) in another lane.
inline double sum_compensated(const double* data, std::size_t count) {
  constexpr std::size_t lanes = 16;
  double sums[lanes] = {}, errors[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    __builtin_prefetch(reinterpret_cast<const std::byte*>(data + i) + 2048);
    __builtin_prefetch(reinterpret_cast<const std::byte*>(data + i) + 2048 + line_bytes);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const double sum = sums[lane] + data[i + lane];
      const double part = sum - sums[lane];
      errors[lane] += (sums[lane] - (sum - part)) + (data[i + lane] - part);
      sums[lane] = sum;
    }
  }
  double sum = 0, error = 0;
  const auto add = [&](double value) {
    const double total = sum + value;
    const double part = total - sum;
    error += (sum - (total - part)) + (value - part);
    sum = total;
  };
  for (const double lane : sums) add(lane);
  for (; i < count; ++i) add(data[i]);
  for (const double lane : errors) error += lane;
  return sum + error;
}

}  // namespace bench
