// Means beside the fastest pass that only reads, beside loops written by hand, and beside peers.
//
//   means/dtype:D/mib:M/threads:T     a dataset in memory, in batches of 4 MiB
//   sizes/dtype:D/mib:M               smaller ones, by one thread
//   cache/dtype:D/kib:K               one batch that caches hold, by one thread
//   batches/dtype:D/rows:R/threads:T  a million batches of R rows of 16 features, or four times M MiB of them
#include <nodewise/means.hpp>

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "support/bounds.hpp"
#include "support/data.hpp"
#include "support/errors.hpp"
#include "support/peers.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::DType;

/// How a way makes a dataset's bytes into something: the rows of one thread at a time.
template <class T>
struct Batches {
  const T* data;
  std::uint64_t batch_elements;
  std::uint64_t first, end;  // batches
  double* means;
};

// The batches of `set` divided evenly among pinned threads, and fn(batches) called by each.
template <class T, class Fn>
Work divided(const Dataset& set, unsigned threads, Fn fn) {
  return [&set, threads, fn, means = std::vector<double>(set.plan.num_batches())]() mutable {
    pinned(threads, [&](unsigned thread) {
      const std::uint64_t count = set.plan.num_batches();
      fn(Batches<T>{reinterpret_cast<const T*>(set.data()), set.batch_elements(), count * thread / threads,
                    count * (thread + 1) / threads, means.data()});
    });
    benchmark::DoNotOptimize(means.data());
  };
}

// A way that has a mean for each batch, from its first element and how many there are.
template <class T, class Mean>
Work batchwise(const Dataset& set, unsigned threads, Mean mean) {
  return divided<T>(set, threads, [mean](const Batches<T>& part) {
    for (std::uint64_t batch = part.first; batch < part.end; ++batch)
      part.means[batch] = mean(part.data + batch * part.batch_elements, part.batch_elements);
  });
}

template <class T>
Work reading(const Dataset& set, unsigned threads, const ReadPass& read) {
  return divided<T>(set, threads, [pass = read.pass](const Batches<T>& part) {
    const auto* data = reinterpret_cast<const std::byte*>(part.data + part.first * part.batch_elements);
    benchmark::DoNotOptimize(pass(data, (part.end - part.first) * part.batch_elements * sizeof(T)));
  });
}

/// What floats lose, where peers add them as floats; `means()` is a function from batches to their means.
template <class T, class Means>
std::function<Figures()> error_of(const std::shared_ptr<Errors<T>>& errors, Means means) {
  if constexpr (std::is_same_v<T, float>) return [=] { return errors->of(means()); };
  return {};
}

/// Everything that does a whole dataset; `set` is asked for only when it is needed.
template <class T>
void add_ways(const std::string& name, const std::function<const Dataset&()>& set, unsigned threads) {
  const auto errors = std::make_shared<Errors<T>>(set);
  add(name, "nodewise",
      [set, threads]() -> Work {
        return [&data = set(), threads, means = std::vector<double>(set().plan.num_batches())]() mutable {
          benchmark::DoNotOptimize(nodewise::batch_means(data.buffer, team(threads), means));
        };
      },
      {.residency = [set, threads] { return residency(set().buffer, team(threads)); },
       .figures = error_of<T>(errors, [set, threads] {
         return [means = nodewise::batch_means(set().buffer, team(threads)).values](std::uint64_t batch) {
           return means[batch];
         };
       })});
  for (const ReadPass& read : read_passes)
    add(name, read.name, [set, threads, &read] { return reading<T>(set(), threads, read); });
  const auto add_mean = [&](const char* way, auto mean) {
    add(name, way, [set, threads, mean] { return batchwise<T>(set(), threads, mean); },
        {.figures = error_of<T>(errors, [set, mean] {
           return [&data = set(), mean](std::uint64_t batch) {
             const std::uint64_t count = data.batch_elements();
             return mean(reinterpret_cast<const T*>(data.data()) + batch * count, count);
           };
         })});
  };
  const auto over_count = [](auto sum) {
    return
        [sum](const T* data, std::uint64_t count) { return sum(data, count) / static_cast<double>(count); };
  };
  add_mean("omp_simd", over_count(sum_simd<T>));
  add_mean("lanes", over_count(sum_lanes<T>));
  if constexpr (std::is_integral_v<T>) add_mean("integers", over_count(sum_integers<T>));
  if constexpr (std::is_arithmetic_v<T>) {
    for_peers<T>(add_mean);
    for_parallel_peers<T>([&](const char* way, auto sum) {
      add(name, way, [set, threads, sum] { return sum(set(), threads); });
    });
  }
  if constexpr (std::is_same_v<T, double>) add_mean("compensated", over_count(sum_compensated));
}

void add_large(const std::string& name, DType dtype, std::uint64_t mib, unsigned threads) {
  constexpr std::uint64_t features = 128, batch_bytes = 4 << 20;
  const std::uint64_t row_bytes = features * nodewise::dtype_bytes(dtype);
  const std::uint64_t samples = (mib << 20) / row_bytes;
  with_type(dtype, [&](auto type) {
    add_ways<decltype(type)>(
        name, [=]() -> const Dataset& { return dataset(dtype, samples, features, batch_bytes / row_bytes); },
        threads);
  });
}

template <class T>
void add_cached(DType dtype, std::uint64_t kib) {
  const std::uint64_t count = (kib << 10) / sizeof(T);
  const std::string name = fmt::format("cache/dtype:{}/kib:{}", nodewise::dtype_name(dtype), kib);
  const auto add_mean = [&](const char* way, auto mean) {
    add(name, way, [=]() -> Work {
      const auto* data = reinterpret_cast<const T*>(dataset(dtype, count, 1, count).data());
      const std::uint64_t repeats = std::max<std::uint64_t>(1, (1 << 20) / (count * sizeof(T)));
      return [=] {
        for (std::uint64_t i = 0; i < repeats; ++i) benchmark::DoNotOptimize(mean(data, count));
      };
    });
  };
  add_mean("nodewise",
           [](const T* data, std::uint64_t n) { return nodewise::mean(data, nodewise::dtype_of<T>, n); });
  if constexpr (std::is_floating_point_v<T>)
    for (const ReadPass& read : read_passes)
      add_mean(read.name, [pass = read.pass](const T* data, std::uint64_t n) {
        return pass(reinterpret_cast<const std::byte*>(data), n * sizeof(T));
      });
  add_mean("lanes", sum_lanes<T>);
  add_mean("omp_simd", sum_simd<T>);
  if constexpr (std::is_integral_v<T>) add_mean("integers", sum_integers<T>);
  if constexpr (std::is_same_v<T, double>) add_mean("compensated", sum_compensated);
  if constexpr (std::is_arithmetic_v<T>) for_peers<T>(add_mean);
}

void add_batches(DType dtype, std::uint64_t rows, unsigned threads) {
  constexpr std::uint64_t features = 16;
  const std::uint64_t most_bytes = 4 * large_mib() << 20;  // of long batches there are fewer
  const std::uint64_t batches =
      std::min<std::uint64_t>(1000000, most_bytes / (rows * features * nodewise::dtype_bytes(dtype)));
  with_type(dtype, [&](auto type) {
    add_ways<decltype(type)>(
        fmt::format("batches/dtype:{}/rows:{}/threads:{}", nodewise::dtype_name(dtype), rows, threads),
        [=]() -> const Dataset& { return dataset(dtype, rows * batches, features, rows); }, threads);
  });
}

/// 1, 2, 4 and so on, up to all cores.
std::vector<unsigned> thread_counts() {
  std::vector<unsigned> counts{1, 2};
  for (unsigned threads = 4; threads < cores(); threads *= 2) counts.push_back(threads);
  if (cores() > counts.back()) counts.push_back(cores());
  return counts;
}

/// What every element type has, and what has a curve of its own.
void add_type(DType dtype, const std::vector<unsigned>& threads_of_large, const std::vector<unsigned>& kibs) {
  const std::string_view name = nodewise::dtype_name(dtype);
  for (const unsigned threads : threads_of_large)
    add_large(fmt::format("means/dtype:{}/mib:{}/threads:{}", name, large_mib(), threads), dtype, large_mib(),
              threads);
  for (const std::uint64_t kib : kibs)
    with_type(dtype, [&](auto type) { add_cached<decltype(type)>(dtype, kib); });
}

void add_curves(DType dtype) {
  add_type(dtype, thread_counts(), {16, 32, 256, 1024, 8192});
  for (std::uint64_t mib = 32; mib < large_mib(); mib *= 4)
    add_large(fmt::format("sizes/dtype:{}/mib:{}", nodewise::dtype_name(dtype), mib), dtype, mib, 1);
  for (const std::uint64_t rows : {1U, 4U, 16U, 64U}) add_batches(dtype, rows, 1);
}

void add_cases() {
  for (const DType dtype : nodewise::all_dtypes)
    if (dtype == DType::f64 || dtype == DType::f32)
      add_curves(dtype);
    else
      add_type(dtype, {1, 2}, {32, 256, 1024, 8192});
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
