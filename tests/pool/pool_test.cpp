// Goal: pools give memory of their node to whoever asks, again and again the same, without asking the system;
// limits, orders of spilling and checks do what they say.
// Method: a fake machine that says where each page is and counts every call.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <thread>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/node_pools.hpp>
#include <nodewise/node_resource.hpp>
#include <nodewise/placement.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

#include "base/json_reader.hpp"
#include "pool/size_classes.hpp"
#include "support/machines.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::MiB;
using test::World;

namespace {

volatile std::size_t beyond_all = SIZE_MAX - 10;  // compilers refuse it where they see it

Team team_of(unsigned count) {
  return Team(Topology::this_machine(), test::workers(count));
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
      REQUIRE(SizeClasses::alignment(size) >= alignment);
      for (std::size_t less = 0; less < SizeClasses::of(bytes, alignment); ++less)  // none less would do
        REQUIRE((SizeClasses::bytes(less) < bytes ||
                 SizeClasses::alignment(SizeClasses::bytes(less)) < alignment));
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

TEST_CASE("a node without room: who is asked, for what, what is free; nothing is left behind") {
  World world(test::machine({{.os_index = 3}, {.os_index = 7, .memory_bytes = 8 * MiB}}));
  NodeResource resource(team_of(2), 1);
  void* const block = resource.allocate(6 * MiB);
  std::string message;
  try {
    static_cast<void>(resource.allocate(5 * MiB));
  } catch (const std::bad_alloc& error) {
    message = error.what();
  }
  CAPTURE(message);
  CHECK(message.find("node 7") != std::string::npos);
  CHECK(message.find("5242880 bytes") != std::string::npos);
  CHECK(message.find("2097152 bytes) free") != std::string::npos);
  CHECK(resource.mapped_bytes() == 6 * MiB);
  CHECK(world.faulty.live_mappings() == 1);
  CHECK_THROWS_AS(static_cast<void>(resource.allocate(5 * MiB)), Error);
  CHECK_THROWS_AS(static_cast<void>(resource.allocate(beyond_all)), OutOfMemory);
  CHECK_THROWS_AS(static_cast<void>(resource.allocate(100, 8192)), InvalidArgument);
  resource.deallocate(block, 6 * MiB);
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("memory that would come from another node is not given") {
  World world(test::even_machine(2));
  world.fake.set_affinity({0, 1});  // of node 0; so first touch cannot place on node 1
  world.faulty.refuse(os::Call::bind, EPERM);
  const Team team = team_of(2);
  NodeResource other(team, 1), own(team, 0);
  CHECK_THROWS_AS(static_cast<void>(other.allocate(MiB)), OutOfMemory);
  CHECK(world.faulty.live_mappings() == 0);
  void* const block = own.allocate(MiB);
  CHECK(all_on(team.topology(), 0, block, MiB));
  REQUIRE(own.degradations().size() == 1);
  CHECK(own.degradations()[0].kind == DegradationKind::mbind_refused);
  own.deallocate(block, MiB);
}

TEST_CASE("who cannot ask where pages are says so") {
  World world(test::even_machine(2));
  world.faulty.refuse(os::Call::pages_status, EPERM);
  NodePools pools(team_of(2));
  pools.on(1).deallocate(pools.on(1).allocate(1000), 1000);
  bool named = false;
  for (const Degradation& lost : pools.degradations(1))
    named = named || lost.kind == DegradationKind::move_pages_refused;
  CHECK(pools.degradations(0).empty());
  CHECK(named);
}

TEST_CASE("a pool asks its upstream once, and gives again what came back") {
  CheckingResource upstream(std::pmr::new_delete_resource());
  PoolResource pool(&upstream, {.chunk_bytes = MiB});
  CHECK(upstream.live_blocks() == 0);
  void* const first = pool.allocate(1000);
  pool.deallocate(first, 1000);
  CHECK(pool.allocate(1000) == first);
  CHECK(pool.allocate(900) != first);  // of the same class, of 1024 bytes
  auto counts = pool.counts();
  CHECK(counts.chunk_bytes == MiB);
  CHECK(counts.live_blocks == 2);
  CHECK(counts.live_bytes == 2048);
  CHECK(counts.allocations == 3);
  CHECK(counts.upstream_allocations == 1);

  void* const large = pool.allocate(600000);  // more than half of a chunk
  CHECK(upstream.live_blocks() == 2);
  CHECK(pool.counts().live_bytes == 2048 + 600000);
  pool.deallocate(large, 600000);
  CHECK(upstream.live_blocks() == 1);

  CHECK_FALSE(pool.release());
  CHECK(upstream.live_blocks() == 1);
  pool.deallocate(first, 1000);
  CHECK(pool.counts().live_blocks == 1);
  CHECK(upstream.faults().empty());
  CHECK_THROWS_AS(PoolResource(&upstream, {.chunk_bytes = 1000}), InvalidArgument);
}

TEST_CASE("where there is no whole chunk, a smaller one serves") {
  LimitedResource upstream(std::pmr::new_delete_resource(), (std::size_t{1} << 20) + (200 << 10));
  PoolResource pool(&upstream, {.chunk_bytes = MiB});
  std::vector<void*> blocks;
  for (int i = 0; i < 18; ++i) blocks.push_back(pool.allocate(64 << 10));
  CHECK(pool.counts().chunk_bytes == MiB + (128 << 10));
  CHECK(pool.counts().upstream_allocations == 2);
  blocks.push_back(pool.allocate(64 << 10));
  CHECK_THROWS_AS(static_cast<void>(pool.allocate(64 << 10)), OutOfMemory);
  CHECK(pool.counts().live_blocks == 19);
  for (void* block : blocks) pool.deallocate(block, 64 << 10);
}

TEST_CASE("threads that all find the pool empty get one chunk together") {
  CheckingResource upstream(std::pmr::new_delete_resource());
  PoolResource pool(&upstream, {.chunk_bytes = 8 * MiB});
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (++ready; ready < 8;) std::this_thread::yield();
      pool.deallocate(pool.allocate(100), 100);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(pool.counts().upstream_allocations == 1);
  CHECK(upstream.live_blocks() == 1);
}

TEST_CASE("release gives everything back, and the pool goes on") {
  CheckingResource upstream(std::pmr::new_delete_resource());
  PoolResource pool(&upstream, {.chunk_bytes = MiB});
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> blocks;
    for (int i = 0; i < 100; ++i) blocks.push_back(pool.allocate(50000));
    for (void* block : blocks) pool.deallocate(block, 50000);
    CHECK(upstream.live_blocks() > 4);
    CHECK(pool.release());
    CHECK(upstream.live_blocks() == 0);
    CHECK(pool.counts().chunk_bytes == 0);
  }
}

TEST_CASE("what is reserved is there, also in the background, and what cannot be is said") {
  World world(test::even_machine(2));
  NodePools pools(team_of(2), {.pool = {.chunk_bytes = MiB}});
  auto ready = pools.reserve_async(16 * MiB, 1);
  ready.get();
  auto calls = world.faulty.calls(os::Call::map);
  std::vector<void*> blocks;
  for (int i = 0; i < 120; ++i) blocks.push_back(pools.on(1).allocate(128 << 10));
  CHECK(world.faulty.calls(os::Call::map) == calls);
  for (void* block : blocks) CHECK(all_on(pools.topology(), 1, block, 128 << 10));
  for (void* block : blocks) pools.on(1).deallocate(block, 128 << 10);
  pools.on(0).reserve(3 * MiB);
  pools.on(0).reserve(2 * MiB);
  CHECK(pools.counts()[0].pool.chunk_bytes > 3 * MiB);
  CHECK(pools.counts()[0].pool.chunk_bytes < 4 * MiB);

  auto refused = pools.reserve_async(1000 * MiB, 1);
  CHECK_THROWS_AS(refused.get(), OutOfMemory);
  CHECK_THROWS_WITH_AS(static_cast<void>(pools.reserve_async(1, 2)),
                       "NodePools: node 2 does not exist; there are 2, counted from 0", OutOfRange);
}

TEST_CASE("what one thread keeps is another's when the upstream has no more") {
  LimitedResource upstream(std::pmr::new_delete_resource(), MiB);
  PoolResource pool(&upstream, {.chunk_bytes = MiB});
  const auto take_all = [&] {
    std::vector<void*> blocks;
    try {
      for (;;) blocks.push_back(pool.allocate(64 << 10));
    } catch (const OutOfMemory&) {
    }
    for (void* block : blocks) pool.deallocate(block, 64 << 10);
    return blocks.size();
  };
  CHECK(take_all() == 16);
  std::size_t by_another = 0;
  std::thread([&] { by_another = take_all(); }).join();
  CHECK(by_another == 16);
  CHECK(pool.counts().live_blocks == 0);
  CHECK(pool.counts().allocations == 32);
  CHECK(upstream.live_bytes() == MiB);
}

TEST_CASE("blocks given back by threads of other nodes stay of their node") {
  World world(test::even_machine(3));
  NodePools pools(team_of(3), {.pool = {.chunk_bytes = MiB}});
  constexpr std::size_t bytes = 5000;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::vector<void*>> blocks(3);
    for (unsigned node = 0; node < 3; ++node)
      for (int i = 0; i < 100; ++i) blocks[node].push_back(pools.on(node).allocate(bytes));
    for (unsigned node = 0; node < 3; ++node)
      for (void* block : blocks[node]) CHECK(all_on(pools.topology(), node, block, bytes));
    std::thread([&] {
      for (unsigned node = 0; node < 3; ++node)
        for (void* block : blocks[node]) pools.on(node).deallocate(block, bytes);
    }).join();
  }
  for (const NodePoolCounts& counts : pools.counts()) {
    CHECK(counts.pool.live_blocks == 0);
    CHECK(counts.pool.allocations == 4000);
    CHECK(counts.pool.chunk_bytes <= 6 * MiB);  // of 20 MB used: ended threads left theirs to others
    CHECK(counts.placement.local_bytes == counts.mapped_bytes);
    CHECK(counts.placement.misplaced_bytes == 0);
  }
}

TEST_CASE("Spill::nearest takes of the nearest node with room, and counts it") {
  auto data = test::machine({{.os_index = 0}, {.os_index = 1, .memory_bytes = 2 * MiB}, {.os_index = 2}});
  data.distances = {10, 30, 30, 30, 10, 20, 30, 20, 10};
  World world(data);
  const Team team = team_of(3);
  NodePools pools(team, {.pool = {.chunk_bytes = MiB}, .spill = Spill::nearest});
  std::vector<void*> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(pools.on(1).allocate(64 << 10));
  std::uint64_t own = 0, of_nearest = 0;
  for (void* block : blocks) {
    own += all_on(team.topology(), 1, block, 64 << 10);
    of_nearest += all_on(team.topology(), 2, block, 64 << 10);
  }
  CHECK(own == 32);
  CHECK(of_nearest == 32);
  const auto counts = pools.counts();
  CHECK(counts[1].spilled_bytes == 2 * MiB);
  CHECK(counts[1].live_spilled_bytes == 2 * MiB);
  CHECK(counts[0].spilled_bytes == 0);
  CHECK(counts[2].mapped_bytes == 2 * MiB);
  for (void* block : blocks) pools.on(1).deallocate(block, 64 << 10);
  CHECK(pools.on(1).release());
  CHECK(pools.counts()[1].live_spilled_bytes == 0);
  CHECK(pools.counts()[1].spilled_bytes == 2 * MiB);
  const auto json = base::parse_json(pools.to_json());
  const auto& nodes = *json.find("nodes")->get_if<base::JsonArray>();
  REQUIRE(nodes.size() == 3);
  CHECK(*nodes[1].find("spilled_bytes")->get_if<std::uint64_t>() == 2 * MiB);
  CHECK(*nodes[1].find("allocations")->get_if<std::uint64_t>() == 64);
}

TEST_CASE("pools take no more of a node than they may, their own or another's") {
  World world(test::even_machine(2));
  NodePools pools(team_of(2),
                  {.pool = {.chunk_bytes = MiB}, .limit_bytes = 3 * MiB, .spill = Spill::nearest});
  std::vector<void*> blocks;
  try {
    for (;;) blocks.push_back(pools.on(0).allocate(512 << 10));
  } catch (const OutOfMemory&) {
  }
  CHECK(blocks.size() == 12);
  for (const NodePoolCounts& counts : pools.counts()) CHECK(counts.mapped_bytes == 3 * MiB);
  for (void* block : blocks) pools.on(0).deallocate(block, 512 << 10);
}

TEST_CASE("all that the pool of a node without memory has is spilled") {
  World world(test::machine({{.os_index = 0}, {.os_index = 1, .memory_bytes = 0}}));
  NodePools pools(team_of(2), {.pool = {.chunk_bytes = MiB}, .spill = Spill::nearest});
  void* const block = pools.on(1).allocate(1000);
  CHECK(all_on(pools.topology(), 0, block, 1000));
  CHECK(pools.counts()[1].live_spilled_bytes == MiB);
  CHECK(pools.counts()[0].mapped_bytes == MiB);
  CHECK(pools.counts()[0].live_spilled_bytes == 0);
  pools.on(1).deallocate(block, 1000);
}

TEST_CASE("the caller's pool is that of its node, or of the nearest with memory") {
  World world(test::machine({{.os_index = 0}, {.os_index = 1, .memory_bytes = 0}, {.os_index = 2}}));
  const NodePools pools(team_of(6));
  for (const unsigned cpu : {0U, 2U, 4U}) {
    world.fake.set_affinity({cpu});
    CHECK(pools.local_node() == (cpu == 4 ? 2U : 0U));
    CHECK(&pools.local() == &pools.on(pools.local_node()));
  }
  CHECK(pools.nearest_with_memory(1) == 0);
  CHECK_THROWS_AS(static_cast<void>(pools.nearest_with_memory(3)), OutOfRange);
  CHECK_THROWS_AS(static_cast<void>(pools.on(1).allocate(10)), OutOfMemory);
}

TEST_CASE("a thousand epochs ask the system for nothing") {
  World world(test::even_machine(2));
  NodePools pools(team_of(2), {.pool = {.chunk_bytes = MiB}});
  ArenaResource arena(&pools.on(1), 256 << 10);
  std::uint64_t before = 0;
  for (int epoch = 0; epoch < 1000; ++epoch) {
    if (epoch == 1)
      for (const auto call : {os::Call::map, os::Call::unmap, os::Call::populate, os::Call::bind})
        before += world.faulty.calls(call);
    std::pmr::vector<float> batch(5000, &pools.on(0)), scratch(20000, &arena);
    for (int i = 0; i < 10; ++i) std::pmr::vector<int>(100U * static_cast<unsigned>(i), &arena).resize(1000);
    arena.reset();
  }
  std::uint64_t after = 0;
  for (const auto call : {os::Call::map, os::Call::unmap, os::Call::populate, os::Call::bind})
    after += world.faulty.calls(call);
  CHECK(after == before);
  CHECK(before > 0);
}

TEST_CASE("an arena cuts the same memory again after each reset, and gives back what no chunk held") {
  CheckingResource upstream(std::pmr::new_delete_resource());
  LimitedResource limited(&upstream, 60000);
  {
    ArenaResource arena(&limited, 10000);
    void* const first = arena.allocate(4000);
    void* const second = arena.allocate(100, 64);
    static_cast<void>(arena.allocate(30000));
    CHECK(arena.used_bytes() >= 34100);
    CHECK(arena.chunk_bytes() == 10000);
    CHECK_THROWS_AS(static_cast<void>(arena.allocate(50000)), OutOfMemory);
    CHECK(arena.used_bytes() < 34300);
    void* const third = arena.allocate(5000);  // what failed took nothing of the chunk
    CHECK(arena.chunk_bytes() == 10000);
    CHECK(third > second);
    arena.deallocate(first, 4000);
    CHECK(upstream.live_blocks() == 2);
    arena.reset();
    CHECK(upstream.live_blocks() == 1);
    CHECK(arena.used_bytes() == 0);
    CHECK(arena.allocate(4000) == first);
    CHECK(arena.allocate(100, 64) == second);
    CHECK(arena.allocate(5000) == third);
    void* const in_next = arena.allocate(8000);
    CHECK(arena.chunk_bytes() == 20000);
    CHECK(arena.used_bytes() >= 4000 + 100 + 5000 + 8000);
    CHECK(arena.allocate(0) != arena.allocate(0));
    arena.reset();
    CHECK(arena.allocate(9000) == first);
    CHECK(arena.allocate(8000) == in_next);
    arena.release();
    CHECK(upstream.live_blocks() == 0);
    CHECK(arena.allocate(10) != nullptr);
  }
  CHECK(upstream.live_blocks() == 0);
  CHECK(upstream.faults().empty());
}

TEST_CASE("a limit holds, and says what is left") {
  LimitedResource limited(std::pmr::new_delete_resource(), 1000);
  void* const block = limited.allocate(600);
  std::string message;
  try {
    static_cast<void>(limited.allocate(401));
  } catch (const OutOfMemory& error) {
    message = error.what();
  }
  CHECK(message.find("401 bytes are asked for, and of 1000 bytes 400 are left") != std::string::npos);
  limited.deallocate(limited.allocate(400), 400);
  limited.deallocate(block, 600);
  CHECK(limited.live_bytes() == 0);
  CHECK(limited.peak_bytes() == 1000);
  CHECK_THROWS_AS(static_cast<void>(limited.allocate(beyond_all)), OutOfMemory);
}

TEST_CASE("an order of spilling is kept, and each gets its own back") {
  LimitedResource first(std::pmr::new_delete_resource(), 1000), second(std::pmr::new_delete_resource(), 1000);
  SpillResource spill({&first, &second});
  void* const a = spill.allocate(800);
  void* const b = spill.allocate(700);
  void* const c = spill.allocate(200);
  CHECK(spill.live_bytes() == std::vector<std::uint64_t>{1000, 700});
  CHECK(spill.spilled_bytes() == 700);
  std::string message;
  try {
    static_cast<void>(spill.allocate(900));
  } catch (const OutOfMemory& error) {
    message = error.what();
  }
  CAPTURE(message);
  CHECK(message.find("none of 2 has 900 bytes") != std::string::npos);
  CHECK(message.find("1000 bytes 0 are left") != std::string::npos);
  CHECK(message.find("1000 bytes 300 are left") != std::string::npos);
  spill.deallocate(b, 700);
  spill.deallocate(a, 800);
  spill.deallocate(c, 200);
  CHECK(first.live_bytes() == 0);
  CHECK(second.live_bytes() == 0);
  CHECK(spill.spilled_bytes() == 700);
  CHECK_THROWS_AS(SpillResource({}), InvalidArgument);
}

TEST_CASE("a checking resource finds what callers do wrong") {
  CheckingResource checking(std::pmr::new_delete_resource());
  auto* const block = static_cast<unsigned char*>(checking.allocate(100, 32));
  CHECK(block[0] == 0xcd);
  auto one_more = [&, found = std::size_t{0}](const char* word) mutable {
    const auto faults = checking.faults();
    REQUIRE(faults.size() == ++found);
    CAPTURE(faults.back());
    CHECK(faults.back().find(word) != std::string::npos);
  };
  checking.deallocate(block, 99, 32);
  one_more("99");
  checking.deallocate(block, 100, 16);
  one_more("aligned to 16");
  block[-1] = 1;
  block[100] = 1;
  CHECK(checking.live_bytes() == 100);
  checking.deallocate(block, 100, 32);
  CHECK(checking.faults().size() == 4);
  CHECK(checking.faults()[2].find("before block 1, of 100") != std::string::npos);
  CHECK(checking.faults()[3].find("behind block 1, of 100") != std::string::npos);
  CHECK(checking.live_blocks() == 0);
  int not_of_here = 0;
  checking.deallocate(&not_of_here, sizeof not_of_here);
  CHECK(checking.faults().size() == 5);
  CHECK_THROWS_AS(static_cast<void>(checking.allocate(beyond_all)), OutOfMemory);
}
