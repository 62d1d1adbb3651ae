// What people would use instead, where it was there to build with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "support/bounds.hpp"

#ifdef NODEWISE_BENCH_EIGEN
#include <Eigen/Core>
#endif
#ifdef NODEWISE_BENCH_TBB
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>

#include <execution>
#include <functional>
#include <numeric>
#endif

namespace bench {

/// Calls add(name, mean) for each peer that has a mean of elements at an address; "_float": one that adds in
/// the elements' own type, and so is less accurate.
template <class T, class Add>
void for_peers([[maybe_unused]] const Add& add) {
#ifdef NODEWISE_BENCH_EIGEN
  using Elements = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;
  if constexpr (std::is_same_v<T, double>)
    add("eigen", [](const T* data, std::uint64_t count) {
      return Elements(data, static_cast<Eigen::Index>(count)).mean();
    });
  else
    add("eigen", [](const T* data, std::uint64_t count) {
      return Elements(data, static_cast<Eigen::Index>(count)).template cast<double>().mean();
    });
  if constexpr (std::is_same_v<T, float>)
    add("eigen_float", [](const T* data, std::uint64_t count) {
      return static_cast<double>(Elements(data, static_cast<Eigen::Index>(count)).mean());
    });
#endif
}

/// Calls add(name, sum) for each peer that divides one sum among `threads` threads of its own.
template <class T, class Add>
void for_parallel_peers([[maybe_unused]] const Add& add) {
#ifdef NODEWISE_BENCH_TBB
  add("tbb", [](const T* data, std::size_t count, unsigned threads) {
    tbb::task_arena arena(static_cast<int>(threads));
    return arena.execute([&] {
      return tbb::parallel_reduce(
          tbb::blocked_range<std::size_t>(0, count, std::size_t{1} << 16), 0.0,
          [&](const tbb::blocked_range<std::size_t>& range, double sum) {
            return sum + sum_simd(data + range.begin(), range.size());
          },
          std::plus<>());
    });
  });
  add("std_reduce", [](const T* data, std::size_t count, unsigned threads) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    return std::transform_reduce(std::execution::par_unseq, data, data + count, 0.0, std::plus<>(),
                                 [](T value) { return static_cast<double>(value); });
  });
#endif
}

}  // namespace bench
