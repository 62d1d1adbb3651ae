// Goal: on a real kernel with several nodes, whatever threads do with blocks of a pool, blocks are on the
// pool's node, before and after others gave them back; a full node says so, or spills as declared. Method:
// workers of all nodes take blocks and give back each other's; a separate program without a line of the
// library asks the kernel where the blocks are. malloc does the same beside it, for the figures.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/node_pools.hpp>
#include <nodewise/replicated.hpp>

#include "machines/nodes.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::MiB;

namespace {

struct Block {
  void* at = nullptr;
  std::size_t bytes = 0;
  unsigned node = 0;  // whose it should be
};

// How many blocks have a page that the witness sees elsewhere than on their node.
std::size_t misplaced_by_witness(const Topology& topology, const std::vector<Block>& blocks) {
  constexpr std::uintptr_t page = 4096;
  std::ostringstream command;
  command << NODEWISE_WITNESS << " where " << ::getpid();
  std::vector<std::uint64_t> page_bytes;
  for (const Block& block : blocks) {
    const auto begin = reinterpret_cast<std::uintptr_t>(block.at) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(block.at) + block.bytes + page - 1) / page * page;
    command << std::hex << ' ' << begin << std::dec << ' ' << end - begin;
    page_bytes.push_back(end - begin);
  }
  std::FILE* pipe = ::popen(command.str().c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::size_t misplaced = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    bool elsewhere = false;
    for (std::uint64_t seen = 0, offset = 0, bytes = 0; seen < page_bytes[i]; seen += bytes) {
      int node = 0;
      REQUIRE(std::fscanf(pipe, "%lu %lu %d", &offset, &bytes, &node) == 3);
      elsewhere = elsewhere || node != static_cast<int>(topology.node(blocks[i].node).os_index);
    }
    misplaced += elsewhere ? 1 : 0;
  }
  REQUIRE(::pclose(pipe) == 0);
  return misplaced;
}

// A plan of which every node has a part, so that the team's workers run on all nodes.
Plan everywhere(const Topology& topology) {
  return {topology, {{1024, 1}, DType::u8, 1}};
}

// Every worker takes blocks of its node, and gives back those of anybody, many times over; what is left in
// the end.
template <class Allocate, class Free>
std::vector<Block> exchange(const Team& team, Allocate allocate, Free free) {
  std::mutex mutex;
  std::vector<Block> shared;
  team.for_each_shard(everywhere(team.topology()), [&](const ShardPart& part) {
    std::minstd_rand random(part.worker.worker + 1);
    for (int round = 0; round < 1500; ++round) {
      Block mine{nullptr, std::size_t{4096} << random() % 6, part.worker.node};
      mine.bytes -= random() % 2000;
      mine.at = allocate(mine);
      std::memset(mine.at, 1, mine.bytes);
      Block other;
      {
        const std::lock_guard lock(mutex);
        shared.push_back(mine);
        if (shared.size() < 160) continue;
        std::swap(shared[random() % shared.size()], shared.back());
        other = shared.back();
        shared.pop_back();
      }
      free(other);
    }
  });
  return shared;
}

}  // namespace

TEST_CASE("blocks lie on the node of their pool, even if threads on other nodes freed them") {
  NEEDS_TWO_NODES();
  const Team team(Topology::this_machine());
  NodePools pools(team, {.pool = {.chunk_bytes = 4 * MiB}});
  const auto blocks = exchange(
      team, [&](const Block& block) { return pools.on(block.node).allocate(block.bytes); },
      [&](const Block& block) { pools.on(block.node).deallocate(block.at, block.bytes); });
  CHECK(blocks.size() > 100);
  CHECK(misplaced_by_witness(team.topology(), blocks) == 0);
  for (const NodePoolCounts& counts : pools.counts()) {
    CHECK(counts.pool.allocations > 0);
    CHECK(counts.mapped_bytes > 0);
    CHECK(counts.placement.local_bytes == counts.mapped_bytes);
  }
  for (const Block& block : blocks) pools.on(block.node).deallocate(block.at, block.bytes);
  for (const NodePoolCounts& counts : pools.counts()) CHECK(counts.pool.live_blocks == 0);

  const auto of_malloc = exchange(
      team, [](const Block& block) { return std::malloc(block.bytes); },
      [](const Block& block) { std::free(block.at); });
  std::printf("malloc: %lu of %lu blocks have pages elsewhere than on the node of who took them\n",
              static_cast<unsigned long>(misplaced_by_witness(team.topology(), of_malloc)),
              static_cast<unsigned long>(of_malloc.size()));
  for (const Block& block : of_malloc) std::free(block.at);
}

TEST_CASE("memory reserved in the background lies on its node, and using it requests no more memory") {
  NEEDS_TWO_NODES();
  const Team team(Topology::this_machine());
  NodePools pools(team, {.pool = {.chunk_bytes = 4 * MiB}});
  const auto last = static_cast<unsigned>(team.topology().nodes().size()) - 1;
  pools.reserve_async(8 * MiB, last).get();
  const auto before = pools.on(last).counts().upstream_allocations;
  std::vector<Block> blocks;
  for (int i = 0; i < 60; ++i) blocks.push_back({pools.on(last).allocate(128 << 10), 128 << 10, last});
  CHECK(pools.on(last).counts().upstream_allocations == before);
  CHECK(misplaced_by_witness(team.topology(), blocks) == 0);
  for (const Block& block : blocks) pools.on(last).deallocate(block.at, block.bytes);
}

TEST_CASE("a pool on a full node throws, or takes memory from the nearest node and counts it") {
  NEEDS_TWO_NODES();
  const Team team(Topology::this_machine());
  const Topology& topology = team.topology();
  const auto fill = [&](NodePools& pools, std::size_t most) {
    std::vector<Block> blocks;
    try {
      while (blocks.size() < most) blocks.push_back({pools.on(0).allocate(MiB), MiB, 0});
    } catch (const OutOfMemory& error) {
      CHECK(std::string(error.what()).find("node 0") != std::string::npos);
      CHECK(std::string(error.what()).find("free") != std::string::npos);
    }
    return blocks;
  };
  const auto give_back = [](NodePools& pools, const std::vector<Block>& blocks) {
    for (const Block& block : blocks) pools.on(0).deallocate(block.at, block.bytes);
  };
  std::size_t room = 0;
  {
    NodePools pools(team, {.pool = {.chunk_bytes = 16 * MiB}});
    const auto blocks = fill(pools, 1000);
    room = blocks.size();
    CHECK(room < 1000);
    CHECK(misplaced_by_witness(topology, blocks) == 0);
    CHECK(pools.counts()[0].spilled_bytes == 0);
    give_back(pools, blocks);
  }
  NodePools pools(team, {.pool = {.chunk_bytes = 16 * MiB}, .spill = Spill::nearest});
  const auto blocks = fill(pools, room + 20);
  CHECK(blocks.size() == room + 20);
  const auto counts = pools.counts();
  CHECK(counts[0].live_spilled_bytes >= 16 * MiB);
  CHECK(counts[topology.nearest(0).front()].mapped_bytes == counts[0].live_spilled_bytes);
  CHECK(misplaced_by_witness(topology, blocks) > 0);
  for (const NodePoolCounts& of_node : counts) CHECK(of_node.placement.misplaced_bytes == 0);
  give_back(pools, blocks);
}

TEST_CASE("each replica lies on its node, and workers read the replica on their own node") {
  NEEDS_TWO_NODES();
  const Team team(Topology::this_machine());
  NodePools pools(team, {.pool = {.chunk_bytes = MiB}});
  const Replicated<std::pmr::vector<double>> table(pools, std::pmr::vector<double>(10000, 0.5));
  std::mutex mutex;
  std::vector<Block> read;
  team.for_each_shard(everywhere(team.topology()), [&](const ShardPart& part) {
    const auto& mine = table.local();
    const std::lock_guard lock(mutex);
    read.push_back({const_cast<double*>(mine.data()), mine.size() * sizeof(double), part.worker.node});
  });
  CHECK(read.size() >= team.topology().nodes().size());
  CHECK(misplaced_by_witness(team.topology(), read) == 0);
}
