// Layouts: conversion beside a plain copy of the same bytes, statistics beside a pass that only reads.
//
//   layout/from:A/to:B/dtype:D/features:F/threads:T   a large dataset in batches of 4 MiB, converted
#include <nodewise/layout.hpp>

#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <immintrin.h>

#include "support/bounds.hpp"
#include "support/data.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::DType;
using nodewise::Layout;

constexpr std::uint64_t batch_bytes = 4 << 20;

const Dataset& source(DType dtype, std::uint64_t features) {
  const std::uint64_t row_bytes = features * nodewise::dtype_bytes(dtype);
  return dataset(dtype, (large_mib() << 20) / row_bytes, features, batch_bytes / row_bytes);
}

/// A buffer beside the dataset, of its plan; kept as long as that is.
const nodewise::Buffer& target(const Dataset& set) {
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

void add_conversion(Layout from, Layout to, DType dtype, std::uint64_t features, unsigned threads) {
  const std::string name = fmt::format("layout/from:{}/to:{}/dtype:{}/features:{}/threads:{}",
                                       to_string(from), to_string(to), dtype_name(dtype), features, threads);
  add(name, "nodewise", [=]() -> Work {
    const Dataset& set = source(dtype, features);
    return [=, &set, &into = target(set)] {
      nodewise::convert_layout(set.buffer, from, into, to, team(threads));
    };
  });
  add(name, "copy", [=] { return copying(source(dtype, features), threads, copy_lines); });
  add(name, "copy_past_caches", [=] { return copying(source(dtype, features), threads, stream_lines); });
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

void add_cases() {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const unsigned threads : {1U, 2U}) add_conversions(dtype, threads);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
