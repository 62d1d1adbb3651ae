// Goal: C allocates memory of a node, as pools of C++ give it, and misuse is an error.
// Method: blocks of a fake machine with two nodes, one of which is small; their counts and pages are
// compared.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "c/handles.hpp"
#include "owned.hpp"
#include "support/machines.hpp"
#include "wrong.hpp"

using namespace nodewise::test;

namespace {

constexpr std::size_t mega = 1 << 20;

// Pools of two nodes; the second one has 8 MiB.
struct Pools {
  World world{machine({{0}, {.os_index = 1, .memory_bytes = 8 * mega}})};
  Owned<nw_topology> topology;
  Owned<nw_team> team;
  Owned<nw_pools> pools;
  explicit Pools(nw_spill spill = NW_SPILL_NONE) {
    nw_pools_options options{};
    options.size = sizeof options;
    options.chunk_bytes = mega;
    options.spill = spill;
    REQUIRE(nw_topology_this_machine(topology.out()) == NW_OK);
    nw_team_options two{};
    two.size = sizeof two;
    two.workers = 2;
    REQUIRE(nw_team_make(topology, &two, team.out()) == NW_OK);
    REQUIRE(nw_pools_make(team, &options, pools.out()) == NW_OK);
  }
  nw_pool_counts counts(std::uint32_t node) const {
    nw_pool_counts counts{};
    counts.size = sizeof counts;
    REQUIRE(nw_pools_count(pools, node, &counts) == NW_OK);
    return counts;
  }
};

}  // namespace

TEST_CASE("blocks lie on their node, are aligned, counted, and used again") {
  const Pools two;
  void *first = nullptr, *second = nullptr, *aligned = nullptr;
  REQUIRE(nw_pools_allocate(two.pools, 1, 1000, 0, &first) == NW_OK);
  std::memset(first, 1, 1000);
  std::uint64_t on_node[2] = {}, absent = 0, unknown = 0;
  REQUIRE(nw_residency(two.topology, first, 1000, on_node, 2, &absent, &unknown) == NW_OK);
  CHECK(on_node[1] == 1000);
  CHECK(two.counts(1).live_blocks == 1);
  CHECK(two.counts(1).mapped_bytes >= mega);
  CHECK(two.counts(1).local_bytes == two.counts(1).mapped_bytes);
  CHECK(two.counts(0).mapped_bytes == 0);
  REQUIRE(nw_pools_deallocate(two.pools, 1, first, 1000, 0) == NW_OK);
  REQUIRE(nw_pools_allocate(two.pools, 1, 1000, 0, &second) == NW_OK);
  CHECK(second == first);
  REQUIRE(nw_pools_deallocate(two.pools, 1, second, 1000, 0) == NW_OK);
  REQUIRE(nw_pools_allocate(two.pools, 0, 100, 4096, &aligned) == NW_OK);
  CHECK(reinterpret_cast<std::uintptr_t>(aligned) % 4096 == 0);
  REQUIRE(nw_pools_deallocate(two.pools, 0, aligned, 100, 4096) == NW_OK);
  CHECK(nw_pools_deallocate(two.pools, 0, nullptr, 1, 0) == NW_OK);
  CHECK(two.counts(0).live_blocks == 0);
}

TEST_CASE("reserved memory is used without asking the system") {
  const Pools two;
  REQUIRE(nw_pools_reserve(two.pools, 0, 2 * mega) == NW_OK);
  const std::uint64_t asked = two.counts(0).upstream_allocations;
  void* block = nullptr;
  REQUIRE(nw_pools_allocate(two.pools, 0, mega / 4, 0, &block) == NW_OK);
  CHECK(two.counts(0).upstream_allocations == asked);
  REQUIRE(nw_pools_deallocate(two.pools, 0, block, mega / 4, 0) == NW_OK);
  std::uint32_t local = 9, nearest = 9;
  REQUIRE(nw_pools_local_node(two.pools, &local) == NW_OK);
  CHECK(local < 2);
  REQUIRE(nw_pools_nearest_with_memory(two.pools, 1, &nearest) == NW_OK);
  CHECK(nearest == 1);
  char* json = nullptr;
  REQUIRE(nw_pools_to_json(two.pools, &json) == NW_OK);
  CHECK(std::string(json).find("nodewise.pools/1") != std::string::npos);
  nw_text_free(json);
}

TEST_CASE("a node without room is an error, or spills to the nearest node") {
  void* block = nullptr;
  {
    const Pools strict;
    CHECK(nw_pools_allocate(strict.pools, 1, 64 * mega, 0, &block) == NW_OUT_OF_MEMORY);
    CHECK(std::string(nw_last_message()).find("node") != std::string::npos);
    CHECK(block == nullptr);
  }
  const Pools spilling(NW_SPILL_NEAREST);
  REQUIRE(nw_pools_allocate(spilling.pools, 1, 64 * mega, 0, &block) == NW_OK);
  CHECK(spilling.counts(1).live_spilled_bytes >= 64 * mega);
  REQUIRE(nw_pools_deallocate(spilling.pools, 1, block, 64 * mega, 0) == NW_OK);
}

TEST_CASE("misuse of pools is an error") {
  const Pools two;
  nw_pools none = nullptr;
  void* block = nullptr;
  std::uint32_t node = 0;
  nw_pool_counts counts{};
  counts.size = sizeof counts;
  const auto with = [&](auto set) {
    nw_pools_options options{};
    options.size = sizeof options;
    set(options);
    return nw_pools_make(two.team, &options, &none);
  };
  const auto bad = NW_INVALID_ARGUMENT;
  check_all({
      {"no team", [&] { return nw_pools_make(nullptr, nullptr, &none); }, bad, "team is NULL"},
      {"chunks", [&] { return with([](auto& to) { to.chunk_bytes = 1; }); }, bad, ""},
      {"spill", [&] { return with([](auto& to) { to.spill = 2; }); }, bad, "spill"},
      {"pages", [&] { return with([](auto& to) { to.pages = 9; }); }, bad, "pages"},
      {"node", [&] { return nw_pools_allocate(two.pools, 2, 1, 0, &block); }, NW_OUT_OF_RANGE, "2"},
      {"alignment", [&] { return nw_pools_allocate(two.pools, 0, 1, 3, &block); }, bad, "power of two"},
      {"nowhere", [&] { return nw_pools_allocate(two.pools, 0, 1, 0, nullptr); }, bad, "out"},
      {"far", [&] { return nw_pools_nearest_with_memory(two.pools, 7, &node); }, NW_OUT_OF_RANGE, "7"},
      {"count", [&] { return nw_pools_count(two.pools, 2, &counts); }, NW_OUT_OF_RANGE, "2"},
      {"reserve", [&] { return nw_pools_reserve(two.pools, 2, 1); }, NW_OUT_OF_RANGE, "2"},
      {"null", [&] { return nw_pools_local_node(nullptr, &node); }, bad, "pools is NULL"},
  });
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
