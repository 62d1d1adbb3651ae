// Defects on demand: proof that a sanitizer which stays silent elsewhere would have spoken.
//
//   planted none|race|address|undefined
//
// The race is between two workers of a team: what the library and Archer say about the order of things
// must neither hide it nor, in the same program done right, invent it.
#include <atomic>
#include <climits>
#include <cstdio>
#include <string_view>
#include <vector>

#include <nodewise/plan.hpp>
#include <nodewise/team.hpp>

namespace {

template <class Counter>
void count_batches(Counter& counter) {
  const auto topology = nodewise::Topology::this_machine();
  const nodewise::Plan plan(topology, {{1000, 1}, nodewise::DType::f32, 1});
  const nodewise::Team team(topology, {.workers = 2});
  for (int round = 0; round < 100; ++round)
    team.for_each_shard(plan, [&](const nodewise::ShardPart& part) {
      for (std::uint64_t i = 0; i < part.batches.count(); ++i) counter = counter + 1;
    });
}

int past_the_end(const std::vector<int>& values) {
  const volatile std::size_t end = values.size();  // or the compiler would see through it and refuse
  return values.data()[end];
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view defect = argc > 1 ? argv[1] : "none";
  std::atomic<int> shared = 0;
  int plain = 0;
  int largest = INT_MAX - argc;
  if (defect == "none") count_batches(shared);
  if (defect == "race") count_batches(plain);
  if (defect == "address") plain = past_the_end(std::vector<int>(3));
  if (defect == "undefined") largest += argc + 1;
  std::printf("%d\n", plain + (largest < 0 ? 1 : 0));
}
