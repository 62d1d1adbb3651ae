// Goal: every node has a copy in its own memory, the caller gets the one beside it, and a copy that cannot be
// made leaves the old ones as they were. Method: a fake machine that says where each page is, and on which
// CPU the caller is.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <memory_resource>
#include <string>
#include <tuple>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/replicated.hpp>

#include "support/machines.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::MiB;
using test::World;

namespace {

using Table = std::array<double, 1000>;

Team team_of(unsigned count) {
  return Team(Topology::this_machine(), test::workers(count));
}

template <class T>
bool is_on(const Topology& topology, unsigned node, const T* data, std::size_t count) {
  return residency(topology, data, count * sizeof(T)).bytes_on_node[node] == count * sizeof(T);
}

static_assert(Replicable<Table> && Replicable<std::pmr::vector<std::pmr::string>>);
static_assert(Replicable<std::pmr::map<int, std::pmr::string>>);
static_assert(Replicable<std::tuple<int, std::pmr::string>>);
static_assert(!Replicable<std::tuple<std::vector<double>>> && !Replicable<std::array<std::pmr::string, 2>>);
static_assert(!Replicable<std::pmr::vector<std::tuple<int, std::string>>>);
static_assert(!Replicable<std::vector<int>> && !Replicable<std::string>);
static_assert(!Replicable<std::pmr::vector<std::string>> && !Replicable<std::pmr::map<int, std::string>>);
static_assert(!Replicable<std::pmr::vector<std::pmr::vector<std::vector<int>>>>);

}  // namespace

TEST_CASE("a copy on each node, the caller's beside it, and what it costs") {
  World world(test::even_machine(3));
  NodePools pools(team_of(3));
  Table table{};
  table[999] = 7;
  const Replicated<Table> replicas(pools, table);
  for (unsigned node = 0; node < 3; ++node) {
    CHECK(is_on(pools.topology(), node, replicas.on(node).data(), 1000));
    CHECK(replicas.on(node)[999] == 7);
    world.fake.set_affinity({2 * node + 1});
    CHECK(&replicas.local() == &replicas.on(node));
  }
  CHECK(replicas.version() == 1);
  CHECK(replicas.cost().bytes_on_node == std::vector<std::uint64_t>(3, sizeof(Table)));
  CHECK_THROWS_AS(static_cast<void>(replicas.on(3)), OutOfRange);
}

TEST_CASE("what a copy holds is in its node's memory too") {
  World world(test::even_machine(2));
  NodePools pools(team_of(2));
  std::pmr::vector<std::pmr::string> words;
  for (int i = 0; i < 100; ++i) words.emplace_back(std::string(static_cast<std::size_t>(i), 'w'));
  {
    const Replicated<std::pmr::vector<std::pmr::string>> replicas(pools, words);
    for (unsigned node = 0; node < 2; ++node) {
      CHECK(replicas.on(node) == words);
      for (const auto& word : replicas.on(node))
        CHECK(is_on(pools.topology(), node, word.data(), word.size()));
    }
    CHECK(replicas.cost().bytes_on_node[1] > 100 * sizeof(std::pmr::string));
  }
  for (const auto& counts : pools.counts()) CHECK(counts.pool.live_blocks == 0);
}

TEST_CASE("an update is for all nodes or for none") {
  World world(test::machine({{.os_index = 0}, {.os_index = 1, .memory_bytes = 4 * MiB}}));
  NodePools pools(team_of(2), {.pool = {.chunk_bytes = MiB}});
  Replicated<std::pmr::vector<int>> replicas(pools, std::pmr::vector<int>(1000, 1), "table");
  replicas.update(std::pmr::vector<int>(2000, 2));
  CHECK(replicas.version() == 2);
  CHECK(replicas.on(1).size() == 2000);
  const auto before = replicas.cost().bytes_on_node;
  CHECK(before == std::vector<std::uint64_t>(2, sizeof(std::pmr::vector<int>) + 2000 * sizeof(int)));
  CHECK_THROWS_AS(replicas.update(std::pmr::vector<int>(2000000, 3)), OutOfMemory);
  CHECK(replicas.version() == 2);
  CHECK(replicas.on(0).size() == 2000);
  CHECK(replicas.on(1)[1999] == 2);
  CHECK(replicas.cost().bytes_on_node == before);
}

TEST_CASE("a node without memory reads the nearest copy") {
  World world(test::machine({{.os_index = 0}, {.os_index = 1, .memory_bytes = 0}, {.os_index = 2}}));
  NodePools pools(team_of(6));
  const Replicated<Table> replicas(pools, Table{});
  CHECK(&replicas.on(1) == &replicas.on(0));
  world.fake.set_affinity({3});
  CHECK(&replicas.local() == &replicas.on(0));
  CHECK(replicas.cost().bytes_on_node == std::vector<std::uint64_t>{sizeof(Table), 0, sizeof(Table)});
}
