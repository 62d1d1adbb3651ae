// Goal: a topology says what the machine says: nodes, CPUs, memory, distances, devices, what is allowed; the
// same machine has the same fingerprint whatever happens to be running on it; what is malformed is refused.
// Method: stored machines against golden summaries (NODEWISE_UPDATE_GOLDENS=1 rewrites them), this machine
// against /sys read another way, a fake system for what changes from moment to moment.
#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <tuple>

#include <nodewise/error.hpp>
#include <nodewise/topology.hpp>

#include "os/cgroup.hpp"
#include "support/files.hpp"
#include "support/machines.hpp"
#include "support/skip.hpp"

using namespace nodewise;
using test::contains;
using test::Environment;
using test::message_of;
using test::text_of;
using test::World;

namespace {

const std::filesystem::path stored = std::filesystem::path(NODEWISE_TEST_DATA) / "topologies";

Topology load(const std::string& name) {
  return Topology::from_xml((stored / (name + ".xml")).string());
}

IndexSet set_of(const std::vector<unsigned>& members) {
  IndexSet set;
  for (const unsigned member : members) set.insert(member);
  return set;
}

// ---- the golden summary

void summarize(std::ostream& out, const Topology& topology, const Node& node) {
  out << "node " << node.index << " os " << node.os_index << " cpus [" << node.cpus.to_string()
      << "] allowed [" << node.allowed_cpus.to_string() << "] cores";
  for (const IndexSet& core : node.cores) out << " [" << core.to_string() << "]";
  out << "\n  memory " << node.memory_bytes << (node.allowed ? " allowed" : " not allowed") << ", pages";
  for (const PagePool& pool : node.pools) out << " " << pool.total_pages << "x" << pool.page_bytes;
  out << "\n  distances";
  for (const Node& other : topology.nodes()) out << " " << topology.distance(node.index, other.index);
  out << ", nearest";
  for (const unsigned other : topology.nearest(node.index)) out << " " << other;
  out << "\n";
}

std::string summary(const Topology& topology) {
  std::ostringstream out;
  out << "fingerprint " << topology.fingerprint() << "\nbase page " << topology.page_bytes() << "\n";
  for (const Node& node : topology.nodes()) summarize(out, topology, node);
  out << "default targets [" << set_of(topology.default_targets()).to_string() << "]\n";
  for (const Device& device : topology.devices()) {
    out << to_string(device.kind) << " " << device.name << " \"" << device.description << "\"";
    if (device.node) out << " near " << *device.node;
    out << "\n";
  }
  for (const MemoryAttribute& attribute : topology.memory_attributes())
    out << attribute.name << " " << attribute.from << " to " << attribute.to << ": " << attribute.value
        << "\n";
  return out.str();
}

void check_golden(const std::string& name, const Topology& topology) {
  const auto path = stored / (name + ".txt");
  if (std::getenv("NODEWISE_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << summary(topology);
  CHECK_MESSAGE(summary(topology) == text_of(path), name);
}

MachineData three_nodes() {
  auto data = test::machine({{0, 2}, {4, 2}, {9, 0}});
  data.distances = {10, 21, 31, 21, 10, 33, 31, 33, 10};
  return data;
}

std::string fingerprint(const MachineData& data) {
  return Topology::from_data(data).fingerprint();
}

}  // namespace

TEST_CASE("stored machines are what they were") {
  unsigned count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(stored)) {
    if (entry.path().extension() != ".xml") continue;
    ++count;
    const auto topology = load(entry.path().stem());
    check_golden(entry.path().stem(), topology);
    CHECK_FALSE(topology.is_this_machine());
    CHECK(topology.origin() == entry.path().string());
    CHECK_FALSE(topology.cpu_quota().has_value());
  }
  CHECK(count >= 11);
}

TEST_CASE("every CPU of a stored machine belongs to one node, memory-only nodes have none") {
  CHECK(load("4x2").node(3).cpus == IndexSet{6, 7});
  const auto hole = load("hole");
  CHECK(hole.node(1).cpus == IndexSet{2, 3});
  CHECK(hole.node(1).memory_bytes == 0);
  CHECK(hole.default_targets() == std::vector<unsigned>{0, 2});
  const auto with_memory_only = load("2x2+1mem");
  CHECK(with_memory_only.node(2).cpus.empty());
  CHECK(with_memory_only.node(2).memory_bytes > 0);
  CHECK(with_memory_only.default_targets() == std::vector<unsigned>{0, 1});
  CHECK(load("hbm").default_targets() == std::vector<unsigned>{0, 1});
}

TEST_CASE("CPUs of a node that a file leaves out for want of memory are not lost") {
  const auto dropped = load("hole-dropped");
  REQUIRE(dropped.nodes().size() == 3);
  CHECK(dropped.node_of_cpu(2) == 1U);
  CHECK(dropped.node(1).os_index == 1);
  CHECK(dropped.node(1).cpus == IndexSet{2, 3});
  CHECK(dropped.node(1).memory_bytes == 0);
  CHECK(dropped.fingerprint() == load("hole").fingerprint());
}

TEST_CASE("a cpuset changes what is allowed, neither the numbering nor the fingerprint") {
  const auto all = load("4x2");
  const auto half = load("4x2-cpuset");
  CHECK(half.fingerprint() == all.fingerprint());
  REQUIRE(half.nodes().size() == 4);
  CHECK(half.node(0).cpus == IndexSet{0, 1});
  CHECK(half.node(0).allowed_cpus.empty());
  CHECK_FALSE(half.node(1).allowed);
  CHECK(half.node(2).allowed);
  CHECK(half.node(2).allowed_cpus == IndexSet{4, 5});
  CHECK(half.default_targets() == std::vector<unsigned>{2, 3});
}

TEST_CASE("logical indices close the gaps in the kernel's numbers") {
  const auto topology = load("holes");
  CHECK(topology.node(2).os_index == 16);
  CHECK(topology.node_of_os_index(17) == 3U);
  CHECK_FALSE(topology.node_of_os_index(2).has_value());
  CHECK_FALSE(topology.node_of_cpu(1000).has_value());
  const std::string message = message_of<OutOfRange>([&] { topology.node(4); });
  CHECK(contains(message, "node 4 of 4"));
  CHECK_THROWS_AS(topology.distance(0, 4), OutOfRange);
  CHECK_THROWS_AS(topology.nearest(4), OutOfRange);
}

TEST_CASE("distances are the firmware's, in the direction it states; ordinary ones where it is silent") {
  const auto asymmetric = load("4-asym");
  CHECK(asymmetric.distance(0, 3) == 32);
  CHECK(asymmetric.distance(3, 0) == 35);
  CHECK(asymmetric.nearest(1) == std::vector<unsigned>{0, 3, 2});
  CHECK(load("snc").nearest(3) == std::vector<unsigned>{2, 0, 1});
  const auto silent = Topology::from_synthetic("numa:3 pu:1");
  CHECK(silent.distance(1, 1) == 10);
  CHECK(silent.distance(1, 2) == 20);
  CHECK(silent.nearest(1) == std::vector<unsigned>{0, 2});
}

TEST_CASE("a synthetic description is a machine that is not here") {
  const auto topology = Topology::from_synthetic("pack:2 numa:2 core:4 pu:2");
  CHECK_FALSE(topology.is_this_machine());
  CHECK(topology.origin() == "pack:2 numa:2 core:4 pu:2");
  REQUIRE(topology.nodes().size() == 4);
  CHECK(topology.node(1).cpus.to_string() == "8-15");
  CHECK(topology.node(1).cores.size() == 4);
  CHECK(topology.node(1).cores.front() == IndexSet{8, 9});
  CHECK(topology.node(3).allowed);
  CHECK(topology.page_bytes() == 4096);
  CHECK(topology.default_targets().size() == 4);
  const auto without_cores = Topology::from_synthetic("numa:2 pu:3");
  CHECK(without_cores.node(1).cores == std::vector<IndexSet>{{3}, {4}, {5}});
}

TEST_CASE("loading a machine from several threads at once") {
  std::vector<std::thread> threads;
  std::vector<std::string> fingerprints(6);
  for (std::size_t i = 0; i < fingerprints.size(); ++i)
    threads.emplace_back([&fingerprints, i] { fingerprints[i] = load("snc").fingerprint(); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : fingerprints) CHECK(each == load("snc").fingerprint());
}

// ---- the fingerprint

TEST_CASE("the fingerprint is the documented hash of the documented text") {
  // FNV-1a, 64 bits, of "nodewise.topology/1\npage 4096\nnode 0 cpus 0-1 memory yes distances 10 21 31\n..."
  CHECK(fingerprint(three_nodes()) == "fdb84b9d7d001a6d");
}

TEST_CASE("the fingerprint leaves out the moment and the order of discovery") {
  const auto before = fingerprint(three_nodes());
  auto data = three_nodes();
  data.nodes[0].allowed_cpus = {1};
  data.nodes[1].allowed = false;
  data.nodes[1].free_bytes = 77;
  data.nodes[1].memory_bytes += 4096;
  data.nodes[1].pools.push_back({2097152, 10, 3});
  data.cpu_quota = 1.5;
  data.origin = "elsewhere";
  data.is_this_machine = false;
  data.devices.push_back({Device::Kind::nic, "eth0", "", 1});
  data.memory_attributes.push_back({"Latency", 0, 1, 90});
  data.fingerprint = "not asked for";
  CHECK(fingerprint(data) == before);

  auto turned = three_nodes();
  std::swap(turned.nodes[0], turned.nodes[2]);
  turned.nodes[0].index = 0;
  turned.nodes[2].index = 2;
  turned.distances = {10, 33, 31, 33, 10, 21, 31, 21, 10};
  CHECK(fingerprint(turned) == before);
}

TEST_CASE("the fingerprint changes with the structure") {
  const auto before = fingerprint(three_nodes());
  auto data = three_nodes();
  data.distances[1] = 22;
  CHECK(fingerprint(data) != before);
  data = three_nodes();
  std::swap(data.distances[2], data.distances[5]);
  CHECK(fingerprint(data) != before);
  data = three_nodes();
  data.nodes[2].os_index = 10;
  CHECK(fingerprint(data) != before);
  data = three_nodes();
  data.nodes[2].cpus.insert(40);
  CHECK(fingerprint(data) != before);
  data = three_nodes();
  data.nodes[2].memory_bytes = 0;
  CHECK(fingerprint(data) != before);
  data = three_nodes();
  data.page_bytes = 65536;
  CHECK(fingerprint(data) != before);
  data = three_nodes();
  data.distances.clear();
  CHECK(fingerprint(data) != before);
}

TEST_CASE("firmware that states the ordinary distances is firmware that is silent") {
  auto silent = test::even_machine(2);
  auto stated = silent;
  stated.distances = {10, 20, 20, 10};
  CHECK(fingerprint(silent) == fingerprint(stated));
}

// ---- this machine

TEST_CASE("this machine agrees with /sys") {
  if (!std::filesystem::exists("/sys/devices/system/node/online"))
    NODEWISE_SKIP("this kernel has no /sys/devices/system/node");
  const auto topology = Topology::this_machine();
  CHECK(topology.is_this_machine());
  CHECK(topology.origin() == "this machine");
  CHECK(topology.page_bytes() == static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)));
  IndexSet numbers;
  for (const Node& node : topology.nodes()) {
    numbers.insert(node.os_index);
    const auto folder = "/sys/devices/system/node/node" + std::to_string(node.os_index);
    CHECK(node.cpus == IndexSet::parse(text_of(folder + "/cpulist")).value());
    const auto meminfo = text_of(folder + "/meminfo");
    CHECK(contains(meminfo, " " + std::to_string(node.memory_bytes / 1024) + " kB"));
    CHECK(node.free_bytes <= node.memory_bytes);
    CHECK((node.free_bytes > 0) == (node.memory_bytes > 0));
    std::istringstream row(text_of(folder + "/distance"));
    for (const Node& other : topology.nodes()) {
      unsigned distance = 0;
      CHECK((row >> distance).good());
      CHECK(topology.distance(node.index, other.index) == distance);
    }
    for (const PagePool& pool : node.pools) {
      if (pool.page_bytes == topology.page_bytes()) continue;
      const auto pages = folder + "/hugepages/hugepages-" + std::to_string(pool.page_bytes / 1024) + "kB/";
      CHECK(std::to_string(pool.total_pages) + "\n" == text_of(pages + "nr_hugepages"));
      CHECK(std::to_string(pool.free_pages) + "\n" == text_of(pages + "free_hugepages"));
    }
  }
  CHECK(numbers == IndexSet::parse(text_of("/sys/devices/system/node/online")).value());
}

TEST_CASE("what this machine allows is the cpuset's, whatever the thread's own mask") {
  const auto before = Topology::this_machine();
  const auto status = text_of("/proc/self/status");
  const auto line = status.find("Mems_allowed_list:");
  REQUIRE(line != std::string::npos);
  const auto list = status.substr(line + 18, status.find('\n', line) - line - 18);
  IndexSet allowed;
  for (const Node& node : before.nodes())
    if (node.allowed) allowed.insert(node.os_index);
  CHECK(allowed == IndexSet::parse(list).value());

  cpu_set_t own, one;
  REQUIRE(::sched_getaffinity(0, sizeof own, &own) == 0);
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  const auto pinned = Topology::this_machine();
  REQUIRE(::sched_setaffinity(0, sizeof own, &own) == 0);
  for (const Node& node : pinned.nodes()) CHECK(node.allowed_cpus == before.node(node.index).allowed_cpus);
  CHECK(pinned.fingerprint() == before.fingerprint());
}

TEST_CASE("a machine that hwloc's environment names is not this one") {
  const auto path = (stored / "4x2.xml").string();
  const Environment foreign("HWLOC_XMLFILE", path.c_str());
  const auto topology = Topology::this_machine();
  CHECK_FALSE(topology.is_this_machine());
  CHECK(topology.nodes().size() == 4);
  CHECK(topology.node(0).free_bytes == 0);
  const auto named = load("8x1");
  CHECK(named.nodes().size() == 8);
}

TEST_CASE("a machine that hwloc's environment names wrongly is refused with the variable's name") {
  const test::TemporaryFile no_sets(
      "<topology version=\"2.0\"><object type=\"Machine\" cpuset=\"0x1\"></object></topology>");
  const std::tuple<const char*, std::string, const char*> cases[] = {
      {"HWLOC_XMLFILE", "/no/such/topology.xml", "ENOENT"},
      {"HWLOC_XMLFILE", no_sets.path(), "Machine has no complete_cpuset"},
      {"HWLOC_XMLFILE", "-", "standard input"},
      {"HWLOC_FSROOT", "/no/such/folder", "ENOENT"},
      {"HWLOC_CPUID_PATH", "/dev/null", "ENOTDIR"},
      {"HWLOC_SYNTHETIC", "foo:3", "refuses it"},
      {"HWLOC_SYNTHETIC", "pu:100000", "more than 8192 CPUs"}};
  for (const auto& [variable, value, why] : cases) {
    const Environment wrong(variable, value.c_str());
    const auto message = test::message_of<FormatError>([] { Topology::this_machine(); });
    CHECK_MESSAGE(test::contains(message, std::string(variable) + ": "), message);
    CHECK_MESSAGE(test::contains(message, value), message);
    CHECK_MESSAGE(test::contains(message, why), message);
    CHECK_MESSAGE(test::contains(message, "unset it"), message);
  }
}

// ---- the moment

TEST_CASE("free memory is what is free or cheaply reclaimed") {
  World world(test::machine({{0, 2, 64 * test::MiB}, {5, 2, 64 * test::MiB}}));
  world.fake.set_text("/sys/devices/system/node/node5/meminfo",
                      "Node 5 MemTotal:       65536 kB\nNode 5 MemFree:        1000 kB\n"
                      "Node 5 Active(file):    7000 kB\nNode 5 Inactive(file):   300 kB\n"
                      "Node 5 Dirty:             20 kB\nNode 5 SReclaimable:     40 kB\n");
  const auto topology = Topology::this_machine();
  CHECK(topology.node(0).free_bytes == 64 * test::MiB);
  CHECK(topology.node(1).free_bytes == (1000 + 300 - 20 + 20) * 1024);
}

TEST_CASE("free memory is never more than memory, nor less than nothing") {
  World world(test::machine({{0, 2, 4 * test::MiB}, {1, 2, 4 * test::MiB}}));
  world.fake.set_text("/sys/devices/system/node/node0/meminfo", "Node 0 MemFree: 99999999 kB\n");
  world.fake.set_text("/sys/devices/system/node/node1/meminfo",
                      "Node 1 MemFree: 8 kB\nNode 1 Inactive(file): 4 kB\nNode 1 Dirty: 400 kB\n");
  const auto topology = Topology::this_machine();
  CHECK(topology.node(0).free_bytes == 4 * test::MiB);
  CHECK(topology.node(1).free_bytes == 8 * 1024);
}

TEST_CASE("a machine without folders for its one node speaks for it itself") {
  auto data = test::machine({{0, 2, 0}});
  data.nodes[0].pools.push_back({2097152, 0, 0});
  World world(data);
  world.faulty.fail(os::Call::read_text, 1, ENOENT);
  world.fake.set_text("/proc/meminfo", "MemTotal:  4096 kB\nMemFree:   1024 kB\n");
  world.fake.set_text("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "12\n");
  world.fake.set_text("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "5\n");
  const auto topology = Topology::this_machine();
  CHECK(topology.node(0).memory_bytes == 4 * test::MiB);
  CHECK(topology.node(0).free_bytes == test::MiB);
  CHECK(topology.node(0).pools.back().total_pages == 12);
  CHECK(topology.node(0).pools.back().free_pages == 5);
}

TEST_CASE("huge pages are counted by node") {
  auto data = test::even_machine(2);
  for (Node& node : data.nodes) node.pools.push_back({2097152, 1, 0});
  World world(data);
  world.fake.set_text("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "8\n");
  world.fake.set_text("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "3\n");
  const auto topology = Topology::this_machine();
  CHECK(topology.node(0).pools[1].total_pages == 1);
  CHECK(topology.node(0).pools[1].free_pages == 0);
  CHECK(topology.node(1).pools[0].total_pages == 64 * test::MiB / 4096);
  CHECK(topology.node(1).pools[1].total_pages == 8);
  CHECK(topology.node(1).pools[1].free_pages == 3);
}

TEST_CASE("the CPU quota is the smallest of the group's and those above it") {
  World world(test::even_machine(2));
  CHECK_FALSE(Topology::this_machine().cpu_quota().has_value());
  world.fake.set_text("/proc/self/cgroup", "0::/jobs/7/step\n");
  world.fake.set_text("/proc/self/mountinfo",
                      "22 1 0:20 / /proc rw - proc proc rw\n"
                      "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  CHECK_FALSE(Topology::this_machine().cpu_quota().has_value());
  world.fake.set_text("/sys/fs/cgroup/jobs/7/step/cpu.max", "max 100000\n");
  CHECK_FALSE(Topology::this_machine().cpu_quota().has_value());
  world.fake.set_text("/sys/fs/cgroup/jobs/cpu.max", "150000 100000\n");
  CHECK(Topology::this_machine().cpu_quota() == 1.5);
  world.fake.set_text("/sys/fs/cgroup/jobs/7/cpu.max", "300000 100000\n");
  CHECK(Topology::this_machine().cpu_quota() == 1.5);
  world.fake.set_text("/sys/fs/cgroup/jobs/7/step/cpu.max", "50000 100000\n");
  CHECK(Topology::this_machine().cpu_quota() == 0.5);
}

TEST_CASE("the CPU quota under the first version of control groups") {
  World world(test::even_machine(2));
  world.fake.set_text("/proc/self/cgroup", "4:memory:/elsewhere\n3:cpu,cpuacct:/docker/abc\n0::/\n");
  world.fake.set_text(
      "/proc/self/mountinfo",
      "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "31 1 0:27 /docker/abc /sys/fs/cgroup/cpu\\040time rw - cgroup cgroup rw,cpu,cpuacct\n");
  world.fake.set_text("/sys/fs/cgroup/cpu time/cpu.cfs_quota_us", "-1\n");
  world.fake.set_text("/sys/fs/cgroup/cpu time/cpu.cfs_period_us", "100000\n");
  CHECK_FALSE(Topology::this_machine().cpu_quota().has_value());
  world.fake.set_text("/sys/fs/cgroup/cpu time/cpu.cfs_quota_us", "250000\n");
  CHECK(Topology::this_machine().cpu_quota() == 2.5);
}

TEST_CASE("control groups are looked for where they are mounted") {
  World world(test::even_machine(1));
  const auto folders = [&](const char* root, const char* path) {
    world.fake.set_text("/proc/self/mountinfo",
                        std::string("30 1 0:26 ") + root + " /mnt rw - cgroup2 none rw\n");
    world.fake.set_text("/proc/self/cgroup", std::string("0::") + path + "\n");
    return os::group_folders("");
  };
  using Folders = std::vector<std::string>;
  CHECK(folders("/", "/") == Folders{"/mnt"});
  CHECK(folders("/", "/a/b") == Folders{"/mnt/a/b", "/mnt/a", "/mnt"});
  CHECK(folders("/a", "/a/b") == Folders{"/mnt/b", "/mnt"});
  CHECK(folders("/a", "/ab") == Folders{"/mnt"});
  CHECK(folders("/", "/../other") == Folders{"/mnt"});
  CHECK(os::group_folders("cpu").empty());
  world.fake.set_text("/proc/self/mountinfo", "nonsense\n1 2 3 - cgroup2\n\n");
  CHECK(os::group_folders("").empty());
}

TEST_CASE("no file of the moment is needed") {
  World world(three_nodes());
  world.faulty.refuse(os::Call::read_text, EACCES);
  const auto topology = Topology::this_machine();
  CHECK(topology.nodes().size() == 3);
  CHECK_FALSE(topology.cpu_quota().has_value());
}

TEST_CASE("a machine that cannot be described is a system error") {
  World world(three_nodes());
  world.faulty.refuse(os::Call::this_machine, EIO);
  try {
    Topology::this_machine();
    FAIL("nothing thrown");
  } catch (const SystemError& error) {
    CHECK(error.code() == EIO);
  }
}

TEST_CASE("parts that contradict each other are refused") {
  const auto message_about = [](void (*spoil)(MachineData&)) {
    auto data = three_nodes();
    spoil(data);
    return message_of<InvalidArgument>([&] { Topology::from_data(data); });
  };
  CHECK(contains(message_about([](MachineData& data) { data.nodes.clear(); }), "no node"));
  CHECK(
      contains(message_about([](MachineData& data) { data.nodes[1].index = 2; }), "position 1 has index 2"));
  CHECK(contains(message_about([](MachineData& data) { data.nodes[1].os_index = 9; }), "kernel's number 9"));
  CHECK(contains(message_about([](MachineData& data) { data.nodes[1].cpus.insert(0); }), "CPUs 0 of node 4"));
  CHECK(contains(message_about([](MachineData& data) { data.distances.pop_back(); }), "9 distances"));
  CHECK(contains(message_about([](MachineData& data) { data.page_bytes = 4095; }), "4095"));
  CHECK(contains(message_about([](MachineData& data) { data.page_bytes = 0; }), "power of two"));
  CHECK(contains(message_about([](MachineData& data) { data.nodes[0].allowed_cpus.insert(7); }), "0-1,7"));
  CHECK(contains(message_about([](MachineData& data) { data.nodes[0].cores.push_back({3}); }),
                 "core 3 of node 0"));
  CHECK(
      contains(message_about([](MachineData& data) { data.nodes[2].os_index = 1U << 21; }), "above 1048576"));
  CHECK(contains(message_about([](MachineData& data) { data.nodes[2].cpus.insert(1U << 21); }),
                 "above 1048576"));
  CHECK(contains(message_about([](MachineData& data) {
                   data.devices.push_back({Device::Kind::nic, "eth0", "", 3});
                 }),
                 "eth0"));
  CHECK(contains(message_about([](MachineData& data) {
                   data.memory_attributes.push_back({"Latency", 0, 3, 1});
                 }),
                 "Latency"));
  CHECK(message_about([](MachineData&) {}) == "");
}
