// Goal: pages lie where the plan says by whichever means is left, the right worker populates them, and
// whatever could not be had is named.
// Method: the fake system, which knows where each page is and who touched it; its calls refused one by one.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>

#include <nodewise/buffer.hpp>
#include <nodewise/error.hpp>
#include <nodewise/placement.hpp>

#include "support/errors.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::contains;
using test::MiB;
using test::World;

namespace {

TeamOptions workers(unsigned count) {
  TeamOptions options;
  options.workers = count;
  return options;
}

Plan plan_on(const Topology& topology, std::uint64_t bytes, Binding binding = Binding::preferred,
             Policy policy = Policy::blocked) {
  PlanOptions options;
  options.binding = binding;
  options.policy = policy;
  return Plan(topology, {{bytes / 512, 64}, DType::f64, 8}, options);
}

Buffer buffer_on(const Topology& topology, unsigned count, Binding binding = Binding::preferred,
                 std::uint64_t bytes = 4 * MiB) {
  return Buffer::allocate(plan_on(topology, bytes, binding), Team(topology, workers(count)));
}

bool named(const std::vector<Degradation>& degradations, DegradationKind kind) {
  return std::any_of(degradations.begin(), degradations.end(),
                     [&](const Degradation& degradation) { return degradation.kind == kind; });
}

// Asks the fake itself, not the library.
bool every_page_on_its_node(const World& world, const Buffer& buffer) {
  auto& fake = const_cast<os::Fake&>(world.fake);
  for (const Shard& shard : buffer.plan().shards())
    for (auto at = shard.pages.begin; at < shard.pages.end; at += 4096) {
      void* page = const_cast<std::byte*>(buffer.data() + at);
      int node = -1;
      fake.pages_status({&page, 1}, {&node, 1});
      if (node != static_cast<int>(shard.os_index)) return false;
    }
  return true;
}

// The nodes whose CPUs populated each shard's pages.
bool populated_from_its_node(const World& world, const Buffer& buffer) {
  for (const Shard& shard : buffer.plan().shards())
    for (auto at = shard.pages.begin; at < shard.pages.end; at += 4096) {
      const auto cpu = world.fake.populated_by_cpu(buffer.data() + at);
      if (!cpu || buffer.topology().node_of_cpu(*cpu) != shard.node) return false;
    }
  return true;
}

}  // namespace

TEST_CASE("with mbind every page lies on its node, populated by that node's workers") {
  World world(test::machine({{0}, {3}, {16}, {17}}));
  const auto topology = Topology::this_machine();
  for (const auto binding : {Binding::preferred, Binding::required}) {
    const auto buffer = buffer_on(topology, 8, binding);
    CHECK(buffer.placing_rung() == PlacingRung::mbind);
    CHECK(buffer.degradations().empty());
    CHECK(every_page_on_its_node(world, buffer));
    CHECK(populated_from_its_node(world, buffer));
  }
}

TEST_CASE("mbind places right even when the workers are few") {
  World world(test::even_machine(4));
  const auto buffer = buffer_on(Topology::this_machine(), 1);
  CHECK(buffer.placing_rung() == PlacingRung::mbind);
  CHECK(every_page_on_its_node(world, buffer));
}

TEST_CASE("without mbind, first touch from the nodes places the same") {
  World world(test::even_machine(4));
  const auto topology = Topology::this_machine();
  world.faulty.refuse(os::Call::bind, EPERM);
  for (const unsigned count : {8U, 4U, 3U, 1U}) {
    CAPTURE(count);
    const auto before = world.fake.affinity().value;
    const auto buffer = buffer_on(topology, count);
    CHECK(buffer.placing_rung() == PlacingRung::first_touch);
    CHECK(named(buffer.degradations(), DegradationKind::mbind_refused));
    CHECK(every_page_on_its_node(world, buffer));
    CHECK(world.fake.affinity().value == before);
  }
}

TEST_CASE("without mbind and pinning nothing is placed, and that is said") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(2));
  world.faulty.refuse(os::Call::bind, ENOSYS);
  world.faulty.refuse(os::Call::set_affinity, EPERM);
  const auto buffer = Buffer::allocate(plan_on(topology, 4 * MiB), team);
  CHECK(buffer.placing_rung() == PlacingRung::none);
  CHECK(named(buffer.degradations(), DegradationKind::mbind_refused));
  CHECK(named(buffer.degradations(), DegradationKind::pinning_refused));
}

TEST_CASE("a node out of reach of first touch is named") {
  World world(test::even_machine(2));
  world.fake.set_affinity({0, 1});  // node 0 alone
  const auto topology = Topology::this_machine();
  world.faulty.refuse(os::Call::bind, EPERM);
  const auto buffer = buffer_on(topology, 2);
  CHECK(buffer.placing_rung() == PlacingRung::first_touch);
  REQUIRE(named(buffer.degradations(), DegradationKind::node_out_of_reach));
  CHECK(Placement::of(buffer).total().misplaced_bytes == 2 * MiB);
}

TEST_CASE("a node without room: refused when required, announced and counted when preferred") {
  auto data = test::even_machine(2);
  data.nodes[1].free_bytes = MiB;
  World world(data);
  const auto topology = Topology::this_machine();
  CHECK_THROWS_AS(buffer_on(topology, 4, Binding::required), PlacementError);
  CHECK(world.faulty.calls(os::Call::map) == 0);  // refused before anything was mapped
  const auto buffer = buffer_on(topology, 4);
  CHECK(named(buffer.degradations(), DegradationKind::node_full));
  CHECK(Placement::of(buffer).total().misplaced_bytes == MiB);
  CHECK_FALSE(world.fake.killed());
}

TEST_CASE("page cache on a node makes way for the data") {
  for (const Binding binding : {Binding::preferred, Binding::required}) {
    CAPTURE(to_string(binding));
    World world(test::even_machine(2));
    world.fake.fill_with_cache(1, 63 * MiB);  // the kernel would rather use the neighbour's free pages
    const auto topology = Topology::this_machine();
    const auto buffer = buffer_on(topology, 4, binding);
    CHECK(every_page_on_its_node(world, buffer));
    CHECK(buffer.degradations().empty());
    CHECK_FALSE(world.fake.killed());
    const bool strict = binding == Binding::required;  // and no shard is left so otherwise
    const std::string maps = world.fake.read_text("/proc/self/numa_maps").value;
    CHECK(contains(maps, " bind:0 ") == strict);
    CHECK(contains(maps, " bind:1 ") == strict);
    CHECK(contains(maps, " prefer:1 ") != strict);
  }
}

TEST_CASE("a node that refuses binding costs the others nothing") {
  World world(test::even_machine(3));
  const auto topology = Topology::this_machine();
  world.faulty.fail(os::Call::bind, 2, EINVAL);
  const auto buffer = buffer_on(topology, 3, Binding::preferred, 3 * MiB);
  CHECK(buffer.placing_rung() == PlacingRung::mbind);
  REQUIRE(named(buffer.degradations(), DegradationKind::mbind_refused));
  CHECK(buffer.degradations()[0].message.find("node 1") != std::string::npos);
  world.faulty.refuse(os::Call::bind, EINVAL);  // of every node: then first touch has to do it
  const auto touched = buffer_on(topology, 3, Binding::preferred, 3 * MiB);
  CHECK(touched.placing_rung() == PlacingRung::first_touch);
  CHECK(every_page_on_its_node(world, touched));
  world.faulty.refuse(os::Call::bind, 0);
  const Team few(topology, workers(1));  // on node 0, where what is not bound then lies
  world.faulty.fail(os::Call::bind, 2, EINVAL);
  const auto placement = Placement::of(Buffer::allocate(plan_on(topology, 3 * MiB), few));
  CHECK(placement.total().misplaced_bytes == MiB);
  CHECK(placement.shards()[1].misplaced_bytes == MiB);
}

TEST_CASE("workers that cannot be pinned are named on every rung") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  world.faulty.refuse(os::Call::set_affinity, EPERM);
  const auto buffer = buffer_on(topology, 2);
  CHECK(buffer.placing_rung() == PlacingRung::mbind);
  CHECK(named(buffer.degradations(), DegradationKind::pinning_refused));
  CHECK(every_page_on_its_node(world, buffer));
}

TEST_CASE("shards that cannot be kept apart are named") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  for (const auto call : {os::Call::bind, os::Call::pages_status, os::Call::advise})
    world.faulty.refuse(call, EPERM);
  CHECK(named(buffer_on(topology, 2).degradations(), DegradationKind::shards_not_apart));
}

TEST_CASE("nodes that the kernel grants and the topology does not show are named") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  CHECK(buffer_on(topology, 2).degradations().empty());
  world.faulty.refuse(os::Call::allowed_nodes, EPERM);
  CHECK(buffer_on(topology, 2).degradations().empty());  // the kernel does not say
  world.fake.set_text("/proc/self/status", "Name:\tx\nMems_allowed:\tf\nMems_allowed_list:\t0-3\nx:\n");
  const auto buffer = buffer_on(topology, 2);
  REQUIRE(named(buffer.degradations(), DegradationKind::nodes_unseen));
  CHECK(buffer.degradations()[0].message.find("2-3") != std::string::npos);
}

TEST_CASE("CPUs of one node and memory of another: data is placed, and the distance has a name") {
  auto data = test::even_machine(2);
  data.nodes[0].allowed = false;
  data.nodes[1].allowed_cpus = {};
  World world(data);
  const auto topology = Topology::this_machine();
  const auto buffer = buffer_on(topology, 2);
  REQUIRE(buffer.plan().shards().size() == 1);
  CHECK(buffer.plan().shards()[0].node == 1);
  CHECK(Placement::of(buffer).total().misplaced_bytes == 0);
  REQUIRE(named(buffer.degradations(), DegradationKind::no_local_memory));
  CHECK(buffer.degradations()[0].message.find("CPUs of node(s) 0 and memory of node(s) 1") !=
        std::string::npos);
}

TEST_CASE("a node that fills up between look and touch does not end the process") {
  auto data = test::even_machine(2);
  data.nodes[1].free_bytes = MiB;
  World world(data);
  // The look says there is plenty.
  world.fake.set_text("/sys/devices/system/node/node1/meminfo", "Node 1 MemFree: 900000 kB\n");
  const auto topology = Topology::this_machine();
  const auto buffer = buffer_on(topology, 4, Binding::required);
  CHECK_FALSE(world.fake.killed());
  CHECK_THROWS_AS(Placement::of(buffer).require_planned(), PlacementError);
}

TEST_CASE("a machine or control group without room refuses before anything is mapped") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  SUBCASE("the machine") {
    world.fake.set_text("/proc/meminfo", "MemAvailable: 1024 kB\nSwapFree: 512 kB\n");
  }
  SUBCASE("an ancestor of the group") {
    world.fake.set_text("/proc/self/cgroup", "0::/jobs/mine\n");
    world.fake.set_text("/proc/self/mountinfo",
                        "30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
    world.fake.set_text("/sys/fs/cgroup/jobs/mine/memory.max", "max\n");
    world.fake.set_text("/sys/fs/cgroup/jobs/memory.max", "8388608\n");
    world.fake.set_text("/sys/fs/cgroup/jobs/memory.current", "6291456\n");
    world.fake.set_text("/sys/fs/cgroup/jobs/memory.stat", "anon 100\ninactive_file 1048576\n");
  }
  SUBCASE("a legacy group") {
    world.fake.set_text("/proc/self/cgroup", "4:cpu:/x\n7:memory:/jobs\n");
    world.fake.set_text("/proc/self/mountinfo",
                        "31 24 0:27 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory\n");
    world.fake.set_text("/sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", "3145728\n");
    world.fake.set_text("/sys/fs/cgroup/memory/jobs/memory.usage_in_bytes", "0\n");
  }
  for (const auto binding : {Binding::preferred, Binding::required})
    CHECK_THROWS_AS(buffer_on(topology, 2, binding), PlacementError);
  CHECK(world.faulty.calls(os::Call::map) == 0);
  CHECK_NOTHROW(buffer_on(topology, 2, Binding::preferred, MiB));
}

TEST_CASE("huge pages that cannot be had") {
  World world(test::even_machine(2));
  world.fake.set_text("/proc/meminfo", "MemAvailable: 1048576 kB\nHugepagesize: 2048 kB\n");
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(2));
  PlanOptions options;
  options.page_bytes = 2 * MiB;
  const Shape shape{8 * MiB / 512, 64};
  const auto buffer =
      Buffer::allocate(Plan(topology, {shape, DType::f64, 8}, options), team, PageKind::hugetlb);
  CHECK(buffer.pages().kind() == PageKind::base);
  CHECK(named(buffer.degradations(), DegradationKind::huge_pages_short));
  CHECK(every_page_on_its_node(world, buffer));
  options.binding = Binding::required;
  const Plan required(topology, {shape, DType::f64, 8}, options);
  CHECK_THROWS_AS(Buffer::allocate(required, team, PageKind::hugetlb), PlacementError);
  const auto transparent = Buffer::allocate(plan_on(topology, 8 * MiB), team, PageKind::transparent);
  CHECK(transparent.pages().kind() == PageKind::base);
  CHECK(named(transparent.degradations(), DegradationKind::huge_pages_off));
}

TEST_CASE("what does not fit into the pool must fit into the machine") {
  World world(test::even_machine(2));
  world.fake.set_text("/proc/meminfo", "MemAvailable: 4096 kB\nHugepagesize: 2048 kB\n");
  const auto topology = Topology::this_machine();
  PlanOptions options;
  options.page_bytes = 2 * MiB;
  const Plan plan(topology, {{8 * MiB / 512, 64}, DType::f64, 8}, options);
  CHECK_THROWS_AS(Buffer::allocate(plan, Team(topology, workers(2)), PageKind::hugetlb), PlacementError);
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("memory on nodes outside the cpuset is no help") {
  auto data = test::even_machine(2);
  data.nodes[1].allowed = false;
  data.nodes[0].free_bytes = 2 * MiB;
  World world(data);
  const auto topology = Topology::this_machine();
  CHECK_THROWS_AS(buffer_on(topology, 2), PlacementError);
  CHECK(world.faulty.calls(os::Call::map) == 0);
}

TEST_CASE("hugetlb pages need a plan made for them") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const auto allocate = [&] {
    Buffer::allocate(plan_on(topology, MiB), Team(topology, workers(2)), PageKind::hugetlb);
  };
  world.fake.set_text("/proc/meminfo", "Hugepagesize: 2048 kB\n");
  CHECK_THROWS_AS(allocate(), InvalidArgument);
  world.fake.set_text("/proc/meminfo", "MemTotal: 4096 kB\n");
  CHECK_THROWS_WITH_AS(allocate(), doctest::Contains("this kernel has no hugetlb pages"), SystemError);
}

TEST_CASE("interleaved memory is asked to interleave, and promises nothing") {
  World world(test::even_machine(3));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(3));
  const auto plan = plan_on(topology, 3 * MiB, Binding::preferred, Policy::interleaved);
  const auto buffer = Buffer::allocate(plan, team);
  CHECK(buffer.placing_rung() == PlacingRung::mbind);
  CHECK(world.faulty.calls(os::Call::interleave) == 1);
  const auto placement = Placement::of(buffer);
  CHECK_FALSE(placement.local_fraction().has_value());
  CHECK(placement.total().local_bytes == 0);
  CHECK(placement.total().on_target_bytes == 3 * MiB);
  CHECK_THROWS_AS(placement.require(0.1), PlacementError);
  world.faulty.refuse(os::Call::interleave, EPERM);
  CHECK(named(Buffer::allocate(plan, team).degradations(), DegradationKind::mbind_refused));
  const auto required = plan_on(topology, 3 * MiB, Binding::required, Policy::interleaved);
  CHECK_THROWS_AS(Buffer::allocate(required, team), PlacementError);
}

TEST_CASE("a populate that fails is an error and leaves nothing") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  world.faulty.fail(os::Call::populate, 2, EFAULT);
  CHECK_THROWS_AS(buffer_on(topology, 2), SystemError);
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("what fills the memory gets every byte once, on the node where it lies") {
  for (const auto policy : {Policy::blocked, Policy::interleaved})
    for (const bool bound : {true, false}) {
      CAPTURE(bound);
      World world(test::even_machine(4));
      const auto topology = Topology::this_machine();
      if (!bound) world.faulty.refuse(os::Call::bind, EPERM);
      const Plan plan = plan_on(topology, 23 * MiB + 512, Binding::preferred, policy);
      std::atomic<std::uint64_t> elsewhere{0}, within_pages{0};
      const auto fill = [&](std::byte* at, ByteRange bytes) {
        if (bytes.begin % 4096 != 0) ++within_pages;
        const Shard& shard = plan.shards()[plan.shard_of(bytes.begin / plan.dataset().most_batch_bytes())];
        if (topology.node_of_cpu(world.fake.current_cpu().value) != shard.node) ++elsewhere;
        for (std::uint64_t i = 0; i < bytes.bytes(); ++i)
          at[i] = static_cast<std::byte>(std::to_integer<unsigned>(at[i]) + 1 + (bytes.begin + i) % 251);
      };
      const auto buffer =
          Buffer::allocate(plan, Team(topology, workers(bound ? 8 : 3)), PageKind::base, fill);
      std::uint64_t wrong = 0;
      for (std::uint64_t i = 0; i < plan.dataset().total_bytes(); ++i)
        if (buffer.data()[i] != static_cast<std::byte>(1 + i % 251)) ++wrong;
      CHECK(wrong == 0);
      CHECK(within_pages == 0);
      if (policy == Policy::blocked) CHECK(elsewhere == 0);
    }
}

TEST_CASE("what filling throws is thrown, and leaves nothing") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  world.faulty.refuse(os::Call::bind, EPERM);  // so that the one worker moves
  const auto mask = world.fake.affinity().value;
  const auto fill = [](std::byte*, ByteRange bytes) {
    if (bytes.end == 8 * MiB) throw FormatError("half of a file");
  };
  CHECK_THROWS_WITH_AS(
      Buffer::allocate(plan_on(topology, 8 * MiB), Team(topology, workers(1)), PageKind::base, fill),
      "half of a file", FormatError);
  CHECK(world.fake.affinity().value == mask);
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("preconditions") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(2));
  PlanOptions shifted;
  shifted.base_offset = 64;
  CHECK_THROWS_AS(Buffer::allocate(Plan(topology, {{64, 64}, DType::f64, 8}, shifted), team),
                  InvalidArgument);
  const auto other = Topology::from_synthetic("numa:3 core:2 pu:1");
  CHECK_THROWS_AS(Buffer::allocate(plan_on(other, MiB), team), PlacementError);
  alignas(4096) static std::byte memory[8192];
  const auto pages = Pages::adopt(memory, 8192);
  CHECK_THROWS_AS(Buffer::adopt(Plan(topology, {{16, 64}, DType::f64, 8}, shifted), topology, pages),
                  InvalidArgument);
  CHECK_THROWS_AS(Buffer::adopt(Plan(topology, {{17, 64}, DType::f64, 8}), topology, pages), InvalidArgument);
  CHECK_THROWS_AS(Buffer::adopt(Plan(other, {{16, 64}, DType::f64, 8}), topology, pages), PlacementError);
}

TEST_CASE("an empty dataset maps nothing") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const auto buffer = Buffer::allocate(Plan(topology, {{0, 64}, DType::f64, 8}), Team(topology, workers(2)));
  CHECK(buffer.data() == nullptr);
  CHECK(world.faulty.live_mappings() == 0);
  CHECK(Placement::of(buffer).local_fraction() == 1.0);
}
