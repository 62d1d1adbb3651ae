// Goal: the parts of a divided team have disjoint CPUs, in proportion to the weights, on every node where
// their number allows it; and calls of two parts at the same time stay on them. Method: machines of several
// nodes behind the fake system; calls that wait for each other, so that they really run at once.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include <nodewise/buffer.hpp>
#include <nodewise/error.hpp>
#include <nodewise/means.hpp>
#include <nodewise/team.hpp>

#include "support/machines.hpp"
#include "support/workers.hpp"
#include "team/run.hpp"

using namespace nodewise;
using test::workers;
using test::World;

namespace {

std::set<unsigned> cpus_of(const Team& team) {
  std::set<unsigned> cpus;
  for (const Worker& worker : team.workers()) cpus.insert(worker.cpu);
  return cpus;
}

std::map<unsigned, unsigned> workers_by_node(const Team& team) {
  std::map<unsigned, unsigned> count;
  for (const Worker& worker : team.workers()) ++count[worker.node];
  return count;
}

std::vector<std::size_t> sizes_of(const std::vector<Team>& teams) {
  std::vector<std::size_t> sizes;
  for (const Team& team : teams) sizes.push_back(team.workers().size());
  return sizes;
}

// Whether no CPU belongs to two of the teams, and together they have those of `whole`.
bool divides(const Team& whole, const std::vector<Team>& teams) {
  std::set<unsigned> all;
  std::size_t count = 0;
  for (const Team& team : teams) {
    const auto cpus = cpus_of(team);
    all.insert(cpus.begin(), cpus.end());
    count += cpus.size();
  }
  return count == all.size() && all == cpus_of(whole);
}

// The CPUs on which two calls ran that were both in progress when each of their workers looked.
std::vector<std::set<unsigned>> cpus_of_calls_at_once(const Team& first, const Team& second) {
  std::vector<std::set<unsigned>> cpus(2);
  const auto all = first.workers().size() + second.workers().size();
  std::atomic<std::size_t> working{0};
  // Where OpenMP gives fewer threads than workers, they cannot all work at once: the wait ends all the same.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  const auto call = [&](const Team& team, std::set<unsigned>& found) {
    const TeamRun run = recorded_run(team, [&](unsigned, bool) {
      ++working;
      while (working < all && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    });
    for (const Worker& worker : run.ran_on) found.insert(worker.cpu);
  };
  std::thread other([&] { call(first, cpus[0]); });
  call(second, cpus[1]);
  other.join();
  return cpus;
}

}  // namespace

TEST_CASE("halves have workers on every node") {
  World world(test::even_machine(4, 4));
  const Team whole(Topology::this_machine(), workers(16));
  const auto halves = whole.divide({1, 1});
  REQUIRE(sizes_of(halves) == std::vector<std::size_t>{8, 8});
  CHECK(divides(whole, halves));
  for (const Team& half : halves) {
    CHECK(workers_by_node(half) == std::map<unsigned, unsigned>{{0, 2}, {1, 2}, {2, 2}, {3, 2}});
    for (unsigned i = 0; i < 8; ++i) CHECK(half.workers()[i].worker == i);
    CHECK(half.usable_cpus().size() == 8);
  }
}

TEST_CASE("any weights: in proportion, spread over the nodes, at least one worker each") {
  World world(test::even_machine(4));
  const Team whole(Topology::this_machine(), workers(8));
  struct Case {
    std::vector<unsigned> weights;
    std::vector<std::size_t> sizes;
  };
  for (const Case& c :
       {Case{{1}, {8}}, Case{{3, 1}, {6, 2}}, Case{{2, 6}, {2, 6}}, Case{{1, 1, 1}, {3, 3, 2}},
        Case{{4000000000, 1}, {7, 1}}, Case{{1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1}}}) {
    const auto parts = whole.divide(c.weights);
    CHECK(sizes_of(parts) == c.sizes);
    CHECK(divides(whole, parts));
    for (const Team& part : parts)
      CHECK(workers_by_node(part).size() == std::min<std::size_t>(part.workers().size(), 4));
  }
}

TEST_CASE("parts by nodes, and who reads a node where a part has no worker") {
  World world(test::machine({{0, 2}, {3, 0}, {4, 3}}));
  const Team whole(Topology::this_machine(), workers(5));
  const auto parts = whole.divide_by_node();
  REQUIRE(sizes_of(parts) == std::vector<std::size_t>{2, 3});
  CHECK(divides(whole, parts));
  CHECK(workers_by_node(parts[1]) == std::map<unsigned, unsigned>{{2, 3}});
  for (unsigned node = 0; node < 3; ++node)
    CHECK(parts[0].readers_of_node(node) == std::vector<unsigned>{0, 1});
  CHECK_THROWS_WITH_AS(whole.readers_of_node(3), "Team::readers_of_node: node 3 of 3", OutOfRange);
}

TEST_CASE("two calls at once, of two parts, run on different CPUs") {
  World world(test::even_machine(2, 4));
  const Team whole(Topology::this_machine(), workers(8));
  for (const auto& parts : {whole.divide({1, 1}), whole.divide({3, 1}), whole.divide_by_node()}) {
    const auto cpus = cpus_of_calls_at_once(parts[0], parts[1]);
    CHECK(cpus[0] == cpus_of(parts[0]));
    CHECK(cpus[1] == cpus_of(parts[1]));
  }
}

TEST_CASE("a part computes what the whole does, and stays as it was divided") {
  World world(test::even_machine(2, 4));
  const auto topology = Topology::this_machine();
  const Team whole(topology, workers(8, Scheduling::stealing));
  const Plan plan(topology, {{1000, 7}, DType::f32, 10});
  Buffer buffer = Buffer::allocate(plan, whole);
  for (unsigned i = 0; i < 7000; ++i) reinterpret_cast<float*>(buffer.data())[i] = static_cast<float>(i);
  const auto expected = batch_means(buffer, whole).values;
  for (const Team& part : whole.divide({1, 2, 1})) {
    CHECK(batch_means(buffer, part).values == expected);
    CHECK(part.scheduling() == Scheduling::stealing);
    CHECK(part.divide({1, 1}).size() == 2);
  }
}

TEST_CASE("workers that share a CPU stay together") {
  World world(test::even_machine(1, 3));
  const Team whole(Topology::this_machine(), workers(7));
  const auto parts = whole.divide({1, 1});
  CHECK(divides(whole, parts));
  CHECK(parts[0].workers().size() + parts[1].workers().size() == 7);
  CHECK_THROWS_AS(whole.divide({1, 1, 1, 1}), InvalidArgument);
}

TEST_CASE("what cannot be divided is refused by name") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(4));
  CHECK_THROWS_WITH_AS(team.divide({}), "Team::divide: there are no weights; give one for each part",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(
      team.divide({1, 0}),
      "Team::divide: the weight of part 1 is 0, and every part has workers; leave that part out",
      InvalidArgument);
  CHECK_THROWS_WITH_AS(
      team.divide({1, 1, 1, 1, 1}),
      "Team::divide: 5 parts of a team whose workers have 4 CPUs; every part needs one of its own",
      InvalidArgument);
}
