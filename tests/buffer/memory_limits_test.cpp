// Goal: memory that a limit refuses is an error, or a degradation, that names the limit, its number and what
// to do; the pool or /dev/shm is not blamed for what a control group refuses; nothing is left behind.
// Method: the fake system, whose text files state the limits and whose calls fail as the kernel's do.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>

#include <nodewise/allowance.hpp>
#include <nodewise/batch_ring.hpp>
#include <nodewise/buffer.hpp>
#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/node_resource.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/shared_objects.hpp>

#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::contains;
using test::message_of;
using test::MiB;
using test::unique_name;
using test::World;

namespace {

constexpr std::uint64_t dataset_bytes = 8 * MiB;
constexpr std::uint64_t huge_page_bytes = 2 * MiB;

Plan plan_of(const Topology& topology, Binding binding, std::vector<unsigned> targets = {},
             Policy policy = Policy::blocked, std::size_t page_bytes = huge_page_bytes) {
  PlanOptions options;
  options.binding = binding;
  options.page_bytes = page_bytes;
  options.policy = policy;
  options.targets = std::move(targets);
  return Plan(topology, {{dataset_bytes / 512, 64}, DType::f64, 8}, options);
}

Team team_of(const Topology& topology) {
  TeamOptions options;
  options.workers = 2;
  return Team(topology, options);
}

// A machine with two nodes and pools that give what is asked for.
struct Pools : World {
  Pools() : World(test::even_machine(2)) {
    fake.fill_pools();
    fake.set_text("/proc/meminfo", "MemAvailable: 1048576 kB\nHugepagesize: 2048 kB\n");
  }
};

// Files of control groups. `controller` is empty for version 2.
struct Group {
  const char* controller;
  const char* limit;
  const char* used;
  const char* folder = "jobs/mine";
};

void limit(World& world, const Group& group, std::uint64_t limit_bytes, std::uint64_t used_bytes) {
  const std::string controller = group.controller;
  const std::string mount = "/sys/fs/cgroup" + (controller.empty() ? "" : "/" + controller);
  world.fake.set_text("/proc/self/cgroup",
                      controller.empty() ? "0::/jobs/mine\n" : "3:" + controller + ":/jobs/mine\n");
  world.fake.set_text(
      "/proc/self/mountinfo",
      "30 24 0:26 / " + mount + " rw shared:4 - " +
          (controller.empty() ? "cgroup2 cgroup2 rw\n" : "cgroup cgroup rw," + controller + "\n"));
  const std::string folder = mount + "/" + group.folder + "/";
  world.fake.set_text(folder + group.limit, std::to_string(limit_bytes) + "\n");
  world.fake.set_text(folder + group.used, std::to_string(used_bytes) + "\n");
}

constexpr Group huge_page_groups[] = {
    {"", "hugetlb.2MB.max", "hugetlb.2MB.current"},
    {"", "hugetlb.2MB.rsvd.max", "hugetlb.2MB.rsvd.current"},
    {"", "hugetlb.2MB.max", "hugetlb.2MB.current", "jobs"},
    {"hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.usage_in_bytes"},
    {"hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.usage_in_bytes"},
};

void check_names(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) CHECK_MESSAGE(contains(message, part), message, " lacks ", part);
}

const Degradation* find(const Buffer& buffer, DegradationKind kind) {
  for (const Degradation& found : buffer.degradations())
    if (found.kind == kind) return &found;
  return nullptr;
}

RingOptions ring_of(PageKind pages) {
  RingOptions options;
  options.slots = 4;
  options.rows = 1024;
  options.cols = 128;
  options.pages = pages;
  return options;
}

BatchLoader loader_in_segment(const std::string& name) {
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name};
  options.pages = PageKind::hugetlb;
  options.team.workers = 2;
  return BatchLoader({{dataset_bytes / 512, 64}, DType::f64, 8}, options);
}

}  // namespace

TEST_CASE("a control group's limit on huge pages: other pages if preferred, an error if required") {
  for (const Group& group : huge_page_groups) {
    Pools world;
    limit(world, group, 6 * MiB, 2 * MiB);
    const auto topology = Topology::this_machine();
    const std::string message = message_of<PlacementError>([&] {
      Buffer::allocate(plan_of(topology, Binding::required), team_of(topology), PageKind::hugetlb);
    });
    check_names(message, {group.limit, "is 6 MiB (2 MiB in use)", "leaves 4 MiB", "8 MiB", "raise it"});
    CHECK(world.faulty.calls(os::Call::map) == 0);
    const auto buffer =
        Buffer::allocate(plan_of(topology, Binding::preferred), team_of(topology), PageKind::hugetlb);
    CHECK(buffer.pages().kind() == PageKind::base);
    const auto* lost = find(buffer, DegradationKind::huge_pages_short);
    REQUIRE(lost != nullptr);
    check_names(lost->message, {group.limit, "leaves 4 MiB", "raise it"});
    const auto allowance = huge_page_allowance_now(huge_page_bytes);
    REQUIRE(allowance);
    CHECK(allowance->bytes == 4 * MiB);
    CHECK(allowance->from.ends_with(group.limit));
    CHECK_FALSE(huge_page_allowance_now(1024 * MiB));
  }
}

TEST_CASE("a limit that leaves enough, and what version 1 writes for none, change nothing") {
  for (const Group& group : huge_page_groups)
    for (const std::uint64_t bytes : {std::uint64_t{8} * MiB, std::uint64_t{9223372036854771712U}}) {
      Pools world;
      limit(world, group, bytes, 0);
      const auto topology = Topology::this_machine();
      const auto buffer =
          Buffer::allocate(plan_of(topology, Binding::required), team_of(topology), PageKind::hugetlb);
      CHECK(buffer.pages().kind() == PageKind::hugetlb);
      CHECK(buffer.degradations().empty());
    }
}

TEST_CASE("a pool that others empty while it is filled: other pages if preferred, an error if required") {
  Pools world;
  const auto topology = Topology::this_machine();
  std::atomic<std::uint64_t> filled{0};
  const auto fill = [&](std::byte* at, ByteRange bytes) {
    std::fill(at, at + bytes.bytes(), std::byte{7});
    filled += bytes.bytes();
  };
  const auto allocate = [&](Binding binding) {
    filled = 0;
    world.faulty.fail(os::Call::populate, 2, EFAULT);
    return Buffer::allocate(plan_of(topology, binding), team_of(topology), PageKind::hugetlb, fill);
  };
  {
    const auto buffer = allocate(Binding::preferred);
    CHECK(buffer.pages().kind() == PageKind::base);
    const auto* lost = find(buffer, DegradationKind::huge_pages_short);
    REQUIRE(lost != nullptr);
    CHECK(lost->error == EFAULT);
    check_names(lost->message, {"populating 8388608 bytes", "pools", "nr_hugepages"});
    CHECK(filled >= dataset_bytes);
    const auto data = buffer.data();
    CHECK(std::all_of(data, data + dataset_bytes, [](std::byte byte) { return byte == std::byte{7}; }));
    CHECK(world.faulty.live_mappings() == 1);
  }
  check_names(message_of<SystemError>([&] { allocate(Binding::required); }), {"pools", "EFAULT"});
  CHECK(world.faulty.live_mappings() == 0);
  world.faulty.fail(os::Call::populate, 1, ENOMEM);  // of ordinary pages: nothing is left to go on with
  CHECK_FALSE(message_of<SystemError>([&] {
                Buffer::allocate(plan_of(topology, Binding::preferred, {}, Policy::blocked, 4096),
                                 team_of(topology));
              }).empty());
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("memory that cannot be mapped names the limits that are set") {
  World world(test::even_machine(2));
  const auto refused = [&] {
    world.faulty.fail(os::Call::map, 1, ENOMEM);
    return message_of<SystemError>([] { Pages::map(16 * MiB, PageKind::base); });
  };
  check_names(refused(), {"the system has no 16 MiB", "ENOMEM"});
  CHECK(memory_limits().empty());
  world.fake.set_text("/proc/self/limits",
                      "Max data size             1048576    unlimited   bytes\n"
                      "Max address space         33554432   unlimited   bytes\n");
  world.fake.set_text("/proc/self/status", "VmSize:\t   17408 kB\nVmData:\t  512 kB\n");
  check_names(refused(), {"16 MiB", "RLIMIT_AS (ulimit -v) = 32 MiB (17 MiB in use)",
                          "RLIMIT_DATA (ulimit -d) = 1 MiB (512 KiB in use)", "raise the limit"});
  world.fake.set_text("/proc/sys/vm/overcommit_memory", "2\n");
  world.fake.set_text("/proc/meminfo", "CommitLimit: 1048576 kB\nCommitted_AS: 524288 kB\n");
  check_names(refused(), {"vm.overcommit_memory = 2 (512 MiB of 1 GiB in use)"});
  CHECK_FALSE(contains(refused(), "max_map_count"));
  world.fake.set_text("/proc/sys/vm/max_map_count", "2\n");
  world.fake.set_text("/proc/self/maps", "a\nb\n");
  check_names(refused(), {"vm.max_map_count = 2 (2 in use)"});
}

TEST_CASE("a segment of huge pages under a control group's limit names the limit, and leaves nothing") {
  const auto folder = "/dev/shm/" + unique_name("huge");
  std::filesystem::create_directory(folder);
  for (const Group& group : huge_page_groups) {
    Pools world;
    limit(world, group, 6 * MiB, 2 * MiB);
    world.fake.set_text("/proc/self/mounts", "none " + folder + " hugetlbfs rw 0 0\n");
    world.fake.set_space(folder, {os::FileSystem::huge_pages, 100 * MiB, 100 * MiB, huge_page_bytes});
    const auto name = unique_name("limited");
    const auto message = message_of<PlacementError>([&] { loader_in_segment(name); });
    check_names(message, {name, group.limit, "10 MiB", "leaves 4 MiB", "raise it"});
    CHECK_FALSE(contains(message, "docker"));
    CHECK(world.faulty.live_descriptors() == 0);
    CHECK(std::filesystem::is_empty(folder));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("a segment of huge pages that the pools do not give blames the pools") {
  const auto folder = "/dev/shm/" + unique_name("huge");
  std::filesystem::create_directory(folder);
  {
    Pools world;
    world.fake.set_text("/proc/self/mounts", "none " + folder + " hugetlbfs rw 0 0\n");
    const auto try_with = [&](std::uint64_t free_bytes) {
      world.fake.set_space(folder, {os::FileSystem::huge_pages, 100 * MiB, free_bytes, huge_page_bytes});
      return message_of<std::exception>([&] { loader_in_segment(unique_name("limited")); });
    };
    check_names(try_with(MiB), {"1 MiB", "enlarge its pool", "nr_hugepages"});
    world.faulty.fail(os::Call::map_shared, 1, ENOMEM);
    check_names(try_with(100 * MiB), {"mapping 8388608 bytes", "the pools do not hold 5", "nr_hugepages"});
    world.faulty.fail(os::Call::populate_shared, 1, EFAULT);
    const auto populating =
        message_of([&] { BatchRing::create(unique_name("ring"), ring_of(PageKind::hugetlb)); });
    check_names(populating, {"present", "the pools do not hold", "nr_hugepages"});
    CHECK_FALSE(contains(populating, "docker"));
    CHECK(world.faulty.live_descriptors() == 0);
    CHECK(std::filesystem::is_empty(folder));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("segments, rings and objects that a control group's memory does not hold are refused untouched") {
  World world(test::even_machine(2));
  limit(world, {"", "memory.max", "memory.current"}, 2 * MiB, MiB);
  const auto before = world.faulty.calls(os::Call::populate_shared);
  const std::string messages[] = {
      message_of<PlacementError>([&] { BatchRing::create(unique_name("ring"), ring_of(PageKind::base)); }),
      message_of<PlacementError>([&] { SharedObjects::create(unique_name("objects"), {.bytes = 4 * MiB}); })};
  for (const std::string& message : messages) check_names(message, {"memory.max leaves 1 MiB"});
  CHECK(world.faulty.calls(os::Call::populate_shared) == before);
  CHECK(world.faulty.live_descriptors() == 0);
}

TEST_CASE("a pool of one node under a limit names the limit and the free huge pages") {
  Pools world;
  limit(world, huge_page_groups[0], 6 * MiB, 2 * MiB);
  world.fake.set_text("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "16\n");
  const auto topology = Topology::this_machine();
  NodeResource resource(team_of(topology), 0, PageKind::hugetlb);
  check_names(message_of<OutOfMemory>([&] { static_cast<void>(resource.allocate(dataset_bytes)); }),
              {"has 32 MiB (33554432 bytes) of huge pages free", "hugetlb.2MB.max", "leaves 4 MiB"});
  void* const block = resource.allocate(4 * MiB);
  resource.deallocate(block, 4 * MiB);
}

TEST_CASE("a plan that does not follow the process's memory policy says so") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  struct Row {
    os::ThreadPolicy policy;
    std::vector<unsigned> targets;
    Policy plan;
    bool said;
  };
  const Row rows[] = {{{}, {0, 1}, Policy::blocked, false},
                      {{"bind", false, {0}}, {0, 1}, Policy::blocked, true},
                      {{"bind", false, {0}}, {0}, Policy::blocked, false},
                      {{"bind", false, {0}}, {1}, Policy::blocked, true},
                      {{"bind", false, {0, 1}}, {0, 1}, Policy::interleaved, false},
                      {{"preferred", false, {1}}, {0, 1}, Policy::blocked, true},
                      {{"interleave", true, {0, 1}}, {0, 1}, Policy::blocked, true},
                      {{"interleave", true, {0, 1}}, {0, 1}, Policy::interleaved, false},
                      {{"interleave", true, {0}}, {0}, Policy::blocked, false},
                      {{"interleave", true, {0}}, {0, 1}, Policy::interleaved, true}};
  for (const Row& row : rows) {
    world.fake.set_policy(row.policy);
    const auto plan = plan_of(topology, Binding::preferred, row.targets, row.plan, 4096);
    const auto buffer = Buffer::allocate(plan, team_of(topology));
    const auto* said = find(buffer, DegradationKind::policy_overridden);
    CHECK((said != nullptr) == row.said);
    if (said == nullptr) continue;
    check_names(said->message, {row.policy.name + " on node(s) " + row.policy.nodes.to_string(), "numactl",
                                "the plan decides", "--nodes"});
  }
  world.fake.set_policy({"bind", false, {0}});
  const auto plan = plan_of(topology, Binding::preferred, {0, 1}, Policy::blocked, 4096);
  world.faulty.refuse(os::Call::bind, EPERM);
  const auto buffer = Buffer::allocate(plan, team_of(topology));
  const auto* said = find(buffer, DegradationKind::policy_overridden);
  REQUIRE(said != nullptr);
  CHECK(contains(said->message, "the policy decides"));
  world.faulty.refuse(os::Call::thread_policy, EPERM);  // as in a container: nothing is known
  CHECK(find(Buffer::allocate(plan, team_of(topology)), DegradationKind::policy_overridden) == nullptr);
}
