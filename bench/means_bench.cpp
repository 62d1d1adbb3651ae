// Means beside what bounds them: a pass that only reads the same bytes, and the plain loop that many would
// write. Every iteration does one after the other (the read pass before and after ours; the faster one
// counts), and the counters are medians of the ratios within an iteration, for a machine's speed changes
// between them.
//
//   of_read_pass  1 is as fast as reading alone
//   of_loop       1 is as fast as the plain loop, which rounds at every step
//
// NODEWISE_BENCH_MIB sets the size (default 256). Small batches: nanoseconds for each batch.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include <nodewise/means.hpp>

#include "base/fp_guard.hpp"
#include "float_sum.hpp"
#include "means_dispatch.hpp"

namespace {

std::size_t size_bytes() {
  const char* text = std::getenv("NODEWISE_BENCH_MIB");
  return (text == nullptr ? 256 : std::strtoul(text, nullptr, 10)) << 20;
}

struct Free {
  void operator()(std::byte* data) const { std::free(data); }
};
using Memory = std::unique_ptr<std::byte, Free>;

Memory allocate(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  Memory memory(static_cast<std::byte*>(
      std::aligned_alloc(huge_page, (bytes + huge_page - 1) / huge_page * huge_page)));
  madvise(memory.get(), bytes, MADV_HUGEPAGE);
  return memory;
}

template <class T>
T drawn(std::normal_distribution<double>& normal, std::mt19937_64& random) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<T>(random());
  else
    return static_cast<T>(
        static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(normal(random)));
}

// A standard normal distribution for floats, all values for integers; one MiB of it, repeated with a shift so
// that it is not page for page the same.
template <class T>
void fill(std::byte* data, std::size_t bytes) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  const std::size_t count = bytes / sizeof(T);
  const std::size_t period = std::min<std::size_t>(count, 1000003);
  T* elements = reinterpret_cast<T*>(data);
  for (std::size_t i = 0; i < period; ++i) elements[i] = drawn<T>(normal, random);
  for (std::size_t i = period; i < count; ++i) elements[i] = elements[i - period];
}

typedef std::uint64_t Line __attribute__((vector_size(64), aligned(1), may_alias));

// The best that one thread can do with these bytes: four streams of whole cache lines.
__attribute__((target_clones("avx512f", "avx2", "default"))) std::uint64_t read_pass(const std::byte* data,
                                                                                     std::size_t bytes) {
  Line a{}, b{}, c{}, d{};
  for (std::size_t at = 0; at + 256 <= bytes; at += 256) {
    for (std::size_t line = 0; line < 256; line += 64) __builtin_prefetch(data + at + line + 2048);
    a |= *reinterpret_cast<const Line*>(data + at);
    b |= *reinterpret_cast<const Line*>(data + at + 64);
    c |= *reinterpret_cast<const Line*>(data + at + 128);
    d |= *reinterpret_cast<const Line*>(data + at + 192);
  }
  const Line all = a | b | c | d;
  return all[0] | all[1] | all[2] | all[3] | all[4] | all[5] | all[6] | all[7];
}

template <class T>
double loop(const std::byte* data, std::size_t count) {
  const T* elements = reinterpret_cast<const T*>(data);
  double sum = 0;
  if constexpr (std::is_arithmetic_v<T>)
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(elements[i]);
  else
    for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(static_cast<float>(elements[i]));
  return sum / static_cast<double>(count);
}

template <class Fn>
double seconds(Fn fn) {
  const auto start = std::chrono::steady_clock::now();
  auto result = fn();
  benchmark::DoNotOptimize(result);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

template <class T>
void large(benchmark::State& state) {
  const std::size_t bytes = size_bytes();
  const std::size_t count = bytes / sizeof(T);
  const Memory memory = allocate(bytes);
  const std::byte* data = memory.get();
  fill<T>(memory.get(), bytes);
  std::vector<double> of_read, of_loop;
  for ([[maybe_unused]] auto _ : state) {
    const double before = seconds([&] { return read_pass(data, bytes); });
    const double ours = seconds([&] { return nodewise::mean(data, nodewise::dtype_of<T>, count); });
    const double read = std::min(before, seconds([&] { return read_pass(data, bytes); }));
    const double plain = seconds([&] { return loop<T>(data, count); });
    state.SetIterationTime(ours);
    of_read.push_back(read / ours);
    of_loop.push_back(plain / ours);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
  state.counters["of_read_pass"] = median(of_read);
  state.counters["of_loop"] = median(of_loop);
}

// Batches of range(0) elements, as batch_means goes through them.
template <class T>
void small(benchmark::State& state) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  const std::size_t bytes = std::size_t{1} << 20;
  const std::size_t batches = bytes / sizeof(T) / batch;
  const Memory memory = allocate(bytes);
  fill<T>(memory.get(), bytes);
  std::vector<double> means(batches);
  for ([[maybe_unused]] auto _ : state) {
    const nodewise::base::FpGuard guard;
    nodewise::FloatSum sum(nodewise::dtype_of<T>, *nodewise::runnable_means_kernels().front());
    for (std::size_t i = 0; i < batches; ++i) {
      sum.add(memory.get() + i * batch * sizeof(T), batch);
      means[i] = sum.take_mean(batch);
    }
    benchmark::DoNotOptimize(means.data());
  }
  state.counters["ns_per_batch"] =
      benchmark::Counter(static_cast<double>(batches) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

BENCHMARK(large<double>)->Name("mean/f64")->UseManualTime();
BENCHMARK(large<float>)->Name("mean/f32")->UseManualTime();
BENCHMARK(large<nodewise::float16>)->Name("mean/f16")->UseManualTime();
BENCHMARK(large<nodewise::bfloat16>)->Name("mean/bf16")->UseManualTime();
BENCHMARK(large<std::int64_t>)->Name("mean/i64")->UseManualTime();
BENCHMARK(large<std::int32_t>)->Name("mean/i32")->UseManualTime();
BENCHMARK(large<std::int16_t>)->Name("mean/i16")->UseManualTime();
BENCHMARK(large<std::int8_t>)->Name("mean/i8")->UseManualTime();
BENCHMARK(large<std::uint8_t>)->Name("mean/u8")->UseManualTime();
BENCHMARK(small<float>)->Name("batches/f32")->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();
BENCHMARK(small<double>)->Name("batches/f64")->Arg(16)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
