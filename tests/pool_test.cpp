// Goal: pools give memory of their node to whoever asks, again and again the same, without asking the system;
// limits, orders of spilling and checks do what they say.
// Method: a fake machine that says where each page is and counts every call.
#include <doctest/doctest.h>

#include <nodewise/error.hpp>
#include <nodewise/node_resource.hpp>
#include <nodewise/placement.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

#include "size_classes.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::MiB;
using test::World;

namespace {

Team team_of(unsigned workers) {
  TeamOptions options;
  options.workers = workers;
  return Team(Topology::this_machine(), options);
}

bool all_on(const Topology& topology, unsigned node, const void* data, std::size_t bytes) {
  const Residency found = residency(topology, data, bytes);
  return found.bytes_on_node[node] == bytes;
}

}  // namespace

TEST_CASE("size classes: each holds its bytes, none is more than a quarter too large") {
  for (std::size_t bytes = 1; bytes < 40000; ++bytes) {
    const auto size_class = SizeClasses::of(bytes);
    const auto size = SizeClasses::bytes(size_class);
    REQUIRE(size >= bytes);
    if (bytes > SizeClasses::least) REQUIRE(size * 4 <= bytes * 5 + 3);
    if (size_class > 0) REQUIRE(SizeClasses::bytes(size_class - 1) < bytes);
  }
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2)
    for (std::size_t bytes = 0; bytes < 20000; bytes += 37) {
      const auto size = SizeClasses::bytes(SizeClasses::of(bytes, alignment));
      REQUIRE(size >= bytes);
      REQUIRE(size % alignment == 0);
    }
}

TEST_CASE("a node's pages are on the node, and populated by its workers") {
  World world(test::machine({{0}, {1}, {2}}));
  const Team team = team_of(3);
  for (const unsigned node : {0U, 1U, 2U}) {
    NodeResource resource(team, node);
    void* const block = resource.allocate(10 * MiB);
    CHECK(all_on(team.topology(), node, block, 10 * MiB));
    CHECK(resource.mapped_bytes() == 10 * MiB);
    resource.deallocate(block, 10 * MiB);
    CHECK(resource.mapped_bytes() == 0);
    CHECK(resource.degradations().empty());
  }
  CHECK(world.faulty.live_mappings() == 0);
}

