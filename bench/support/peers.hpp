// What people would use instead, where it was there to build with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "support/bounds.hpp"
#include "support/data.hpp"

#ifdef NODEWISE_BENCH_EIGEN
#include <Eigen/Core>
#endif
#ifdef NODEWISE_BENCH_TBB
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_reduce.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <execution>
#include <functional>
#include <numeric>
#include <vector>
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

#ifdef NODEWISE_BENCH_TBB
/// An arena on one node, and what lies there.
template <class T>
struct NodeArena {
  tbb::task_arena arena;
  const T* begin;
  const T* end;

  double sum() const {
    return tbb::parallel_reduce(
        tbb::blocked_range<const T*>(begin, end, std::size_t{1} << 16), 0.0,
        [](const tbb::blocked_range<const T*>& range, double sum) {
          return sum + sum_simd(range.begin(), range.size());
        },
        std::plus<>());
  }
};

/// An arena for each node that has a shard, with its share of the threads. One for everything where oneTBB
/// knows no nodes (it needs libtbbbind for that), or where there are fewer threads than nodes.
template <class T>
std::vector<NodeArena<T>> node_arenas(const Dataset& set, unsigned threads) {
  std::vector<tbb::numa_node_id> nodes = tbb::info::numa_nodes();
  std::vector<nodewise::ByteRange> parts;
  for (const nodewise::Shard& shard : set.plan.shards()) parts.push_back(shard.bytes);
  if (nodes.size() != parts.size() || nodes.size() > threads) {
    nodes = {tbb::task_arena::automatic};
    parts = {{0, set.bytes()}};
  }
  const auto* data = reinterpret_cast<const T*>(set.data());
  const auto count = static_cast<unsigned>(nodes.size());
  std::vector<NodeArena<T>> arenas;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned share = threads * (i + 1) / count - threads * i / count;
    const auto constraints =
        tbb::task_arena::constraints().set_numa_id(nodes[i]).set_max_concurrency(static_cast<int>(share));
    const unsigned for_caller = i == 0 ? 1 : 0;  // who takes part in one of them
    arenas.push_back({tbb::task_arena(constraints, for_caller), data + parts[i].begin / sizeof(T),
                      data + parts[i].end / sizeof(T)});
  }
  return arenas;
}

template <class T>
Work sum_by_tbb(const Dataset& set, unsigned threads) {
  return [arenas = node_arenas<T>(set, threads)]() mutable {
    std::vector<tbb::task_group> groups(arenas.size());
    std::vector<double> sums(arenas.size());
    for (std::size_t i = 0; i < arenas.size(); ++i)
      arenas[i].arena.execute([&, i] { groups[i].run([&, i] { sums[i] = arenas[i].sum(); }); });
    for (std::size_t i = 0; i < arenas.size(); ++i) arenas[i].arena.execute([&, i] { groups[i].wait(); });
    benchmark::DoNotOptimize(sums.data());
  };
}

template <class T>
Work sum_by_std(const Dataset& set, unsigned threads) {
  return [data = reinterpret_cast<const T*>(set.data()), count = set.bytes() / sizeof(T), threads] {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    benchmark::DoNotOptimize(std::transform_reduce(std::execution::par_unseq, data, data + count, 0.0,
                                                   std::plus<>(),
                                                   [](T value) { return static_cast<double>(value); }));
  };
}
#endif

/// Calls add(name, sum) for each peer that divides one sum among `threads` threads of its own; sum(set,
/// threads) is its work.
template <class T, class Add>
void for_parallel_peers([[maybe_unused]] const Add& add) {
#ifdef NODEWISE_BENCH_TBB
  add("tbb", sum_by_tbb<T>);
  add("std_reduce", sum_by_std<T>);
#endif
}

}  // namespace bench
