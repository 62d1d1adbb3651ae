// Layouts: conversion beside a plain copy of the same bytes, statistics beside a pass that only reads.
//
//   layout/from:A/to:B/dtype:D/features:F/threads:T  a large dataset in batches of 4 MiB, converted
//   features/dtype:D/features:F/threads:T            its means of features: of columns, and of other layouts
//   variances/dtype:D/features:F/threads:T           the same of variances
//   batches_of_rows/dtype:D/features:F/threads:T     its means of batches, whose layout does not matter
//   use/work:W/dtype:D/features:F                    a loop over LayoutView in each layout, by one thread
#include <nodewise/feature_statistics.hpp>
#include <nodewise/layout.hpp>
#include <nodewise/means.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#include "support/bounds.hpp"
#include "support/data.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::ByteRange;
using nodewise::DType;
using nodewise::Layout;
using nodewise::Plan;

constexpr std::uint64_t batch_bytes = 4 << 20;

const Dataset& source(DType dtype, std::uint64_t features) {
  const std::uint64_t row_bytes = features * nodewise::dtype_bytes(dtype);
  return dataset(dtype, (large_mib() << 20) / row_bytes, features, batch_bytes / row_bytes);
}

/// A buffer beside the dataset, of its plan; kept as long as that is.
nodewise::Buffer& target(const Dataset& set) {
  static std::optional<nodewise::Buffer> kept;
  if (!kept || !(kept->plan() == set.plan)) {
    kept.reset();
    kept.emplace(nodewise::Buffer::allocate(set.plan, team(cores())));
  }
  return *kept;
}

void copy_lines(std::byte* to, const std::byte* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

/// Past the caches: a written line is not read first. The beginning of a page, so aligned.
void stream_lines(std::byte* to, const std::byte* from, std::size_t bytes) {
#if defined(__AVX__)
  constexpr std::size_t line = 64;
  const std::size_t whole = bytes / line * line;
  for (std::size_t at = 0; at < whole; at += line) {
    _mm_prefetch(reinterpret_cast<const char*>(from + at) + 2048, _MM_HINT_T0);
    const auto* const vectors = reinterpret_cast<const __m256i_u*>(from + at);
    const __m256i lower = _mm256_loadu_si256(vectors), upper = _mm256_loadu_si256(vectors + 1);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + at), lower);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + at) + 1, upper);
  }
  std::memcpy(to + whole, from + whole, bytes - whole);
  _mm_sfence();
#else
  std::memcpy(to, from, bytes);
#endif
}

using Copy = void (*)(std::byte* to, const std::byte* from, std::size_t bytes);

Work copying(const Dataset& set, unsigned threads, Copy copy) {
  return [&set, &to = target(set), threads, copy] {
    pinned(threads, [&](unsigned thread) {
      const std::uint64_t pages = set.bytes() / 4096;
      const std::uint64_t begin = pages * thread / threads * 4096;
      const std::uint64_t end = thread + 1 == threads ? set.bytes() : pages * (thread + 1) / threads * 4096;
      copy(to.data() + begin, set.data() + begin, end - begin);
    });
  };
}

/// The same bytes, taken for batches in `layout`.
std::shared_ptr<nodewise::Buffer> seen_as(const Dataset& set, Layout layout) {
  auto buffer = std::make_shared<nodewise::Buffer>(nodewise::Buffer::adopt_placed(
      set.plan, set.buffer.topology(), set.buffer.pages(), set.buffer.placing_rung()));
  buffer->assume_layout(layout);
  return buffer;
}

void add_conversion(Layout from, Layout to, DType dtype, std::uint64_t features, unsigned threads) {
  const std::string name = fmt::format("layout/from:{}/to:{}/dtype:{}/features:{}/threads:{}",
                                       to_string(from), to_string(to), dtype_name(dtype), features, threads);
  add(name, "nodewise", [=]() -> Work {
    const Dataset& set = source(dtype, features);
    return [=, buffer = seen_as(set, from), &into = target(set)] {
      nodewise::convert_layout(*buffer, into, to, team(threads));
    };
  });
  add(name, "copy", [=] { return copying(source(dtype, features), threads, copy_lines); });
  add(name, "copy_past_caches", [=] { return copying(source(dtype, features), threads, stream_lines); });
}

/// fn(first, end) on pinned threads: the batches of `set`, evenly.
template <class Fn>
Work by_batches(const Dataset& set, unsigned threads, Fn fn) {
  return [&set, threads, fn] {
    const std::uint64_t count = set.plan.num_batches();
    pinned(threads, [&](unsigned thread) { fn(count * thread / threads, count * (thread + 1) / threads); });
  };
}

/// What no conversion between rows and columns can do without: reading a batch block by block, where blocks
/// are as wide as the first caches allow. Beside it the copy that conversions are held against.
void add_pieces(std::uint64_t features, unsigned threads) {
  constexpr std::uint64_t piece_bytes = 512, block_rows = 128;
  const std::string name = fmt::format("pieces/dtype:f32/features:{}/threads:{}", features, threads);
  const std::uint64_t row_bytes = features * sizeof(float);
  add(name, "read_pieces", [=]() -> Work {
    const Dataset& set = source(DType::f32, features);
    return by_batches(set, threads, [&set, row_bytes](std::uint64_t first, std::uint64_t end) {
      std::uint64_t all = 0;
      for (std::uint64_t batch = first; batch < end; ++batch) {
        const ByteRange bytes = set.plan.dataset().batch_bytes(batch);
        const std::uint64_t rows = bytes.bytes() / row_bytes;
        for (std::uint64_t col = 0; col < row_bytes; col += piece_bytes)
          for (std::uint64_t block = 0; block < rows; block += block_rows)
            for (std::uint64_t row = block; row < std::min(block + block_rows, rows); ++row)
              all |= read_pass<1, 0>(set.data() + bytes.begin + row * row_bytes + col, piece_bytes);
      }
      benchmark::DoNotOptimize(all);
    });
  });
  add(name, "copy", [=] { return copying(source(DType::f32, features), threads, copy_lines); });
  add(name, "copy_past_caches", [=] { return copying(source(DType::f32, features), threads, stream_lines); });
}

void add_conversions(DType dtype, unsigned threads) {
  for (const std::uint64_t features : {16U, 64U, 256U, 1024U, 4096U}) {
    add_conversion(Layout::rows, Layout::columns, dtype, features, threads);
    add_conversion(Layout::columns, Layout::rows, dtype, features, threads);
  }
  for (const std::uint64_t features : {16U, 256U, 4096U}) {
    add_conversion(Layout::rows, Layout::tiles, dtype, features, threads);
    add_conversion(Layout::tiles, Layout::rows, dtype, features, threads);
    add_conversion(Layout::columns, Layout::tiles, dtype, features, threads);
    add_conversion(Layout::tiles, Layout::columns, dtype, features, threads);
  }
}

void add_reads(const std::string& name, DType dtype, std::uint64_t features, unsigned threads) {
  for (const ReadPass& read : read_passes)
    add(name, read.name, [=, &read] {
      const Dataset& set = source(dtype, features);
      return by_batches(set, threads, [&set, &read](std::uint64_t first, std::uint64_t end) {
        if (first == end) return;
        const std::uint64_t begin = set.plan.dataset().batch_bytes(first).begin;
        benchmark::DoNotOptimize(
            read.pass(set.data() + begin, set.plan.dataset().batch_bytes(end - 1).end - begin));
      });
    });
}

/// Sums of runs of `run(plan, batch)` elements, by the loop written by hand.
template <class T, class Run>
Work lanes(const Dataset& set, unsigned threads, Run run) {
  return by_batches(set, threads, [&set, run](std::uint64_t first, std::uint64_t end) {
    double all = 0;
    for (std::uint64_t batch = first; batch < end; ++batch) {
      const ByteRange bytes = set.plan.dataset().batch_bytes(batch);
      const auto* data = reinterpret_cast<const T*>(set.data() + bytes.begin);
      const std::uint64_t count = run(set.plan, batch);
      for (std::uint64_t at = 0; at < bytes.bytes() / sizeof(T); at += count)
        all += sum_lanes(data + at, count);
    }
    benchmark::DoNotOptimize(all);
  });
}

template <class T>
void add_statistics(std::uint64_t features, unsigned threads) {
  constexpr DType dtype = nodewise::dtype_of<T>;
  const auto name_of = [&](const char* what) {
    return fmt::format("{}/dtype:{}/features:{}/threads:{}", what, dtype_name(dtype), features, threads);
  };
  const auto add_ours = [&](const char* what, const char* way, Layout layout, auto fn) {
    add(name_of(what), way, [=]() -> Work {
      return [buffer = seen_as(source(dtype, features), layout), threads, fn] {
        benchmark::DoNotOptimize(fn(*buffer, team(threads)));
      };
    });
  };
  constexpr std::pair<Layout, const char*> ways[] = {
      {Layout::columns, "nodewise"}, {Layout::rows, "of_rows"}, {Layout::tiles, "of_tiles"}};
  for (const auto& [layout, way] : ways) {
    add_ours("features", way, layout, [](const auto& buffer, const auto& workers) {
      return nodewise::feature_means(buffer, workers);
    });
    add_ours("variances", way, layout, [](const auto& buffer, const auto& workers) {
      return nodewise::feature_statistics(buffer, workers);
    });
  }
  add_ours("batches_of_rows", "nodewise", Layout::rows,
           [](const auto& buffer, const auto& workers) { return nodewise::batch_means(buffer, workers); });
  for (const char* what : {"features", "variances", "batches_of_rows"})
    add_reads(name_of(what), dtype, features, threads);
  add(name_of("features"), "lanes", [=] {
    return lanes<T>(source(dtype, features), threads, [](const Plan& plan, std::uint64_t batch) {
      return plan.dataset().batch_rows(batch).count();
    });
  });
  add(name_of("batches_of_rows"), "lanes", [=] {
    return lanes<T>(source(dtype, features), threads, [](const Plan& plan, std::uint64_t batch) {
      return plan.dataset().batch_bytes(batch).bytes() / sizeof(T);
    });
  });
}

/// For each row the sum of its elements' squares, as one would write it for each layout; the greatest.
float greatest(const float* scores, std::size_t count) {
  return *std::max_element(scores, scores + count);
}
float scores(const nodewise::LayoutView<const float, Layout::rows>& view) {
  float most = 0;
  for (std::size_t row = 0; row < view.rows(); ++row) {
    float score = 0;
    const auto line = view.row(row);
#pragma omp simd reduction(+ : score)
    for (std::size_t col = 0; col < line.size(); ++col) score += line[col] * line[col];
    most = std::max(most, score);
  }
  return most;
}
float scores(const nodewise::LayoutView<const float, Layout::columns>& view) {
  std::vector<float> score(view.rows());
  for (std::size_t col = 0; col < view.cols(); ++col) {
    const auto column = view.column(col);
#pragma omp simd
    for (std::size_t row = 0; row < column.size(); ++row) score[row] += column[row] * column[row];
  }
  return greatest(score.data(), score.size());
}
float scores(const nodewise::LayoutView<const float, Layout::tiles>& view) {
  float most = 0;
  for (std::size_t t = 0; t < view.tiles(); ++t) {
    const auto tile = view.tile(t);
    float score[nodewise::tile_rows] = {};
    if (tile.rows() == nodewise::tile_rows) {
      for (std::size_t col = 0; col < tile.cols(); ++col) {
        const float* const column = tile.data() + col * nodewise::tile_rows;
#pragma omp simd
        for (std::size_t row = 0; row < nodewise::tile_rows; ++row) score[row] += column[row] * column[row];
      }
    } else {
      for (std::size_t col = 0; col < tile.cols(); ++col)
        for (std::size_t row = 0; row < tile.rows(); ++row) score[row] += tile(row, col) * tile(row, col);
    }
    most = std::max(most, greatest(score, tile.rows()));
  }
  return most;
}

/// The least value of a feature, likewise.
template <class View>
float least_of(const View& view, std::size_t col) {
  float least = 0;
  for (const float value : view.column(col)) least = std::min(least, value);
  return least;
}
float least_of(const nodewise::LayoutView<const float, Layout::tiles>& view, std::size_t col) {
  float least = 0;
  for (std::size_t t = 0; t < view.tiles(); ++t) least = std::min(least, least_of(view.tile(t), col));
  return least;
}

/// What users' loops cost in a layout.
template <Layout L>
void add_use(std::uint64_t features) {
  const auto add_work = [&](const char* work, auto fn) {
    add(fmt::format("use/work:{}/dtype:f32/features:{}", work, features), std::string(to_string(L)),
        [=]() -> Work {
          return [buffer = seen_as(source(DType::f32, features), L), fn] {
            float all = 0;
            for (std::uint64_t batch = 0; batch < buffer->plan().num_batches(); ++batch)
              all += fn(nodewise::LayoutView<const float, L>(buffer->get_batch(batch)));
            benchmark::DoNotOptimize(all);
          };
        });
  };
  add_work("one_feature", [](const auto& view) { return least_of(view, view.cols() / 2); });
  add_work("rows_at_random", [](const auto& view) {
    float all = 0;
    std::uint64_t row = 1;
    for (std::size_t i = 0; i < view.rows() / 4; ++i) {
      row = row * 6364136223846793005U + 1442695040888963407U;
      for (const float value : view.row((row >> 33) % view.rows())) all += value;
    }
    return all;
  });
  add_work("score_each_row", [](const auto& view) { return scores(view); });
}

void add_cases() {
  for (const std::uint64_t features : {16U, 256U, 4096U})
    for (const unsigned threads : {1U, 2U}) {
      add_statistics<float>(features, threads);
      add_statistics<double>(features, threads);
    }
  for (const std::uint64_t features : {256U, 4096U})
    for (const unsigned threads : {1U, 2U}) add_pieces(features, threads);
  for (const std::uint64_t features : {64U, 1024U}) {
    add_use<Layout::rows>(features);
    add_use<Layout::columns>(features);
    add_use<Layout::tiles>(features);
  }
  for (const DType dtype : {DType::f32, DType::f64})
    for (const unsigned threads : {1U, 2U}) add_conversions(dtype, threads);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
