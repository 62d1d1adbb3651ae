// Memory allocated, made present and given back, beside what a program would do by hand.
//
//   buffer/pages:K/mib:M/threads:T   of base pages, or of transparent huge pages
#include <nodewise/buffer.hpp>

#include <numa.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "support/data.hpp"
#include "support/mapping.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::PageKind;

nodewise::Plan plan_of(std::size_t bytes) {
  constexpr std::uint64_t features = 128;
  return {machine(), {{bytes / features, features}, nodewise::DType::u8, huge_page_bytes / features}};
}

/// Pinned threads make the parts of fresh memory present, each its own.
Work by_hand(PageKind kind, std::size_t bytes, unsigned threads,
             void (*make_present)(std::byte*, const Part&) noexcept) {
  return [=] {
    const Mapping mapping(bytes, kind);
    pinned(threads, [&](unsigned thread) { make_present(mapping.data(), Part(bytes, thread, threads)); });
  };
}

Work by_libnuma(std::size_t bytes, unsigned threads) {
  return [=] {
    void* memory = numa_alloc_interleaved(bytes);
    pinned(threads,
           [&](unsigned thread) { touch(static_cast<std::byte*>(memory), Part(bytes, thread, threads)); });
    numa_free(memory, bytes);
  };
}

void add_ways(PageKind kind, std::size_t bytes, unsigned threads) {
  const std::string name =
      fmt::format("buffer/pages:{}/mib:{}/threads:{}", to_string(kind), bytes >> 20, threads);
  const auto allocate = [=, plan = plan_of(bytes)] {
    return nodewise::Buffer::allocate(plan, team(threads), kind);
  };
  add(name, "nodewise", [=]() -> Work { return [=] { benchmark::DoNotOptimize(allocate().data()); }; },
      {.figures = [=] { return residency(allocate(), team(threads)); }});
  add(name, "populate", [=] { return by_hand(kind, bytes, threads, populate); });
  add(name, "touch", [=] { return by_hand(kind, bytes, threads, touch); });
  if (numa_available() >= 0) add(name, "numa_alloc_interleaved", [=] { return by_libnuma(bytes, threads); });
  // These two have one thread, and the pages that malloc gives.
  add(name, "vector",
      [=]() -> Work { return [=] { benchmark::DoNotOptimize(std::vector<char>(bytes).data()); }; });
  add(name, "malloc_memset", [=]() -> Work {
    return [=] {
      void* memory = std::malloc(bytes);
      benchmark::DoNotOptimize(memory);
      std::memset(memory, 0, bytes);
      benchmark::ClobberMemory();
      std::free(memory);
    };
  });
}

void add_cases() {
  for (const PageKind kind : {PageKind::base, PageKind::transparent})
    for (const unsigned threads : {1U, 2U}) add_ways(kind, large_mib() << 20, threads);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
