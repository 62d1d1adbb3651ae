// Plans: how long they take and what they ask of the heap, and that neither grows with the data.
//
//   plan/pib:1/nodes:64/batches:1e12   the largest
//   plan/growth/nodes:N                a plan of 10^9 batches on N nodes
//   plan/growth/batches:B              a plan of B batches on 8 nodes
#include <nodewise/plan.hpp>

#include <memory>

#include <fmt/format.h>

#include "support/counted_heap.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;

// Rows of this many bytes: 10^12 of them are 1 PiB (1.00009), and their batches meet within pages.
constexpr std::uint64_t row_bytes = 1126;

nodewise::Plan plan_of(const nodewise::Topology& topology, std::uint64_t batches) {
  return {topology, {{batches, row_bytes}, nodewise::DType::u8, 1}};
}

void add_plan(const std::string& name, unsigned nodes, std::uint64_t batches) {
  const auto topology = std::make_shared<nodewise::Topology>(
      nodewise::Topology::from_synthetic(fmt::format("numa:{} core:4 pu:1", nodes)));
  add(name, "nodewise",
      [=]() -> Work { return [=] { benchmark::DoNotOptimize(plan_of(*topology, batches)); }; },
      {.figures = [=]() -> Figures {
        return {
            {"heap_bytes", heap_bytes_of([&] { benchmark::DoNotOptimize(plan_of(*topology, batches)); })}};
      }});
}

void add_cases() {
  constexpr std::uint64_t most_batches = 1000000000000;
  add_plan("plan/pib:1/nodes:64/batches:1e12", 64, most_batches);
  for (unsigned nodes = 1; nodes <= 64; nodes *= 2)
    add_plan(fmt::format("plan/growth/nodes:{}", nodes), nodes, most_batches / 1000);
  for (std::uint64_t batches = 1000; batches <= most_batches; batches *= 1000)
    add_plan(fmt::format("plan/growth/batches:{}", batches), 8, batches);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
