// Goal: workers stand where the team says, every batch is visited exactly once by a worker that should read
// it, and the caller's threads get their masks back, whatever the caller's own OpenMP is doing.
// Method: machines of several nodes behind the fake system; this machine for masks, nesting and fork.
#include <doctest/doctest.h>
#include <omp.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include <nodewise/error.hpp>
#include <nodewise/team.hpp>

#include "support/machines.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

using namespace nodewise;
using test::Environment;
using test::World;

namespace {

Plan plan_on(const Topology& topology, std::uint64_t batches, std::vector<unsigned> targets = {}) {
  PlanOptions options;
  options.targets = std::move(targets);
  return Plan(topology, {{batches * 64, 64}, DType::f64, 64}, options);
}

TeamOptions workers(unsigned count, bool displaced = false) {
  TeamOptions options;
  options.workers = count;
  options.displaced = displaced;
  return options;
}

std::size_t size_of(const Topology& topology, const TeamOptions& options = {}) {
  const Team team(topology, options);
  return team.workers().size();
}

std::map<unsigned, unsigned> workers_by_node(const Team& team) {
  std::map<unsigned, unsigned> count;
  for (const Worker& worker : team.workers()) ++count[worker.node];
  return count;
}

// How often each batch was visited; whether always by a reader of its shard, on that reader's node.
std::vector<int> visits(const Team& team, const Plan& plan) {
  std::vector<int> seen(plan.num_batches());
  std::mutex mutex;
  bool right = true;
  team.for_each_shard(plan, [&](const ShardPart& part) {
    const std::lock_guard lock(mutex);
    const auto readers = team.readers(plan, part.shard);
    right = right && std::count(readers.begin(), readers.end(), part.worker.worker) == 1;
    for (const auto batch : part.batches) {
      right = right && plan.shard_of(batch) == part.shard;
      ++seen[batch];
    }
  });
  CHECK(right);
  return seen;
}

}  // namespace

TEST_CASE("one worker for each core, grouped by node, each on its node's CPUs") {
  const Environment nodewise_workers("NODEWISE_WORKERS", nullptr), omp("OMP_NUM_THREADS", nullptr);
  World world(test::even_machine(4, 3));
  const auto topology = Topology::this_machine();
  const Team team(topology);
  REQUIRE(team.workers().size() == 12);
  std::set<unsigned> cpus;
  for (const Worker& worker : team.workers()) {
    CHECK(topology.node(worker.node).cpus.contains(worker.cpu));
    CHECK(worker.node == worker.worker / 3);
    cpus.insert(worker.cpu);
  }
  CHECK(cpus.size() == 12);
}

TEST_CASE("cores come before their second hardware threads") {
  auto data = test::even_machine(2, 4);
  for (Node& node : data.nodes) {
    const auto cpus = node.cpus.indices();
    node.cores = {{cpus[0], cpus[1]}, {cpus[2], cpus[3]}};
  }
  World world(data);
  const Environment nodewise_workers("NODEWISE_WORKERS", nullptr), omp("OMP_NUM_THREADS", nullptr);
  const auto topology = Topology::this_machine();
  const Team team(topology);
  std::vector<unsigned> cpus;
  for (const Worker& worker : team.workers()) cpus.push_back(worker.cpu);
  CHECK(cpus == std::vector<unsigned>{0, 2, 4, 6});
  CHECK(size_of(topology, workers(8)) == 8);
  CHECK(size_of(topology, workers(19)) == 19);  // more than CPUs: they share
}

TEST_CASE("fewer workers are spread over the nodes") {
  World world(test::even_machine(4));
  const auto topology = Topology::this_machine();
  CHECK(workers_by_node(Team(topology, workers(2))) == std::map<unsigned, unsigned>{{0, 1}, {1, 1}});
  CHECK(workers_by_node(Team(topology, workers(6))) ==
        std::map<unsigned, unsigned>{{0, 2}, {1, 2}, {2, 1}, {3, 1}});
}

TEST_CASE("the number comes from NODEWISE_WORKERS, else OMP_NUM_THREADS, never beyond the quota") {
  auto data = test::even_machine(2, 4);
  data.cpu_quota = 2.5;
  World world(data);
  const auto topology = Topology::this_machine();
  const Environment nodewise_workers("NODEWISE_WORKERS", nullptr), omp("OMP_NUM_THREADS", nullptr);
  CHECK(size_of(topology) == 3);
  {
    const Environment two("OMP_NUM_THREADS", "2,4");
    CHECK(size_of(topology) == 2);
    const Environment five("NODEWISE_WORKERS", "5");
    CHECK(size_of(topology) == 5);
    CHECK(size_of(topology, workers(1)) == 1);
  }
  const Environment many("OMP_NUM_THREADS", "64");
  CHECK(size_of(topology) == 3);
  CHECK_THROWS_AS(Team(topology, workers(100000)), InvalidArgument);
}

TEST_CASE("a NODEWISE_WORKERS that is no number of workers is refused") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  for (const char* value : {"x", "0", "-1", "4x", "99999999999"}) {
    CAPTURE(value);
    const Environment nodewise_workers("NODEWISE_WORKERS", value);
    CHECK_THROWS_AS(Team{topology}, InvalidArgument);
  }
}

TEST_CASE("CPUs that no core names are cores of their own") {
  auto data = test::even_machine(1, 3);
  data.nodes[0].cores.clear();
  World world(data);
  const Environment nodewise_workers("NODEWISE_WORKERS", nullptr), omp("OMP_NUM_THREADS", nullptr);
  CHECK(size_of(Topology::this_machine()) == 3);
}

TEST_CASE("a deliberate mask is never widened") {
  World world(test::even_machine(2, 2));
  world.fake.set_affinity({1});
  const Environment nodewise_workers("NODEWISE_WORKERS", nullptr), omp("OMP_NUM_THREADS", nullptr);
  const Team team(Topology::this_machine());
  REQUIRE(team.workers().size() == 1);
  CHECK(team.workers()[0].cpu == 1);
  CHECK(team.usable_cpus() == IndexSet{1});
}

TEST_CASE("every batch is visited once, by a reader of its shard") {
  World world(test::machine({{0, 2}, {4, 1}, {16, 3}}));
  const auto topology = Topology::this_machine();
  for (const unsigned count : {1U, 2U, 3U, 6U, 17U})
    for (const std::uint64_t batches :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{1000}}) {
      CAPTURE(count);
      CAPTURE(batches);
      const auto plan = plan_on(topology, batches);
      CHECK(visits(Team(topology, workers(count)), plan) == std::vector<int>(batches, 1));
      CHECK(visits(Team(topology, workers(count, true)), plan) == std::vector<int>(batches, 1));
    }
}

TEST_CASE("orphans of a node without workers are read from the nearest node") {
  auto data = test::machine({{0, 2}, {1, 2}, {2, 0}});
  data.distances = {10, 20, 30, 20, 10, 15, 30, 15, 10};
  World world(data);
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(4));
  const auto plan = plan_on(topology, 30, {0, 1, 2});
  const auto orphans = team.orphans(plan);
  REQUIRE(orphans.size() == 1);
  CHECK(orphans[0].shard == 2);
  CHECK(orphans[0].node == 2);
  CHECK(orphans[0].read_from == 1);
  CHECK(visits(team, plan) == std::vector<int>(30, 1));
}

TEST_CASE("displaced workers belong to another node than the shard") {
  World world(test::even_machine(3));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(6, true));
  const auto plan = plan_on(topology, 9);
  for (std::size_t shard = 0; shard < 3; ++shard)
    for (const unsigned reader : team.readers(plan, shard))
      CHECK(team.workers()[reader].node == (plan.shards()[shard].node + 1) % 3);
}

TEST_CASE("a team runs on this machine only") {
  const auto foreign = Topology::from_synthetic("numa:2 core:2 pu:1");
  CHECK_THROWS_AS(Team{foreign}, PlacementError);
  World world(test::even_machine(1));
  const auto topology = Topology::this_machine();
  world.fake.set_affinity({77});
  CHECK_THROWS_AS(Team{topology}, SystemError);
  world.faulty.refuse(os::Call::affinity, EPERM);
  CHECK_THROWS_AS(Team{topology}, SystemError);
}

TEST_CASE("what a worker throws arrives, once, after all have finished") {
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(2));
  const auto plan = plan_on(topology, 64);
  std::atomic<int> calls{0};
  CHECK_THROWS_WITH(team.for_each_shard(plan,
                                        [&](const ShardPart&) {
                                          ++calls;
                                          throw std::runtime_error("from a worker");
                                        }),
                    "from a worker");
  CHECK(calls == 2);
  CHECK(visits(team, plan) == std::vector<int>(64, 1));
}

TEST_CASE("for_each_worker calls once for each worker, on a thread pinned to its CPU") {
  World world(test::machine({{0, 2}, {4, 1}, {16, 3}}));
  const Team team(Topology::this_machine(), workers(6));
  std::mutex mutex;
  std::vector<Worker> seen;
  bool pinned = true;
  team.for_each_worker([&](const Worker& worker) {
    const std::lock_guard lock(mutex);
    seen.push_back(worker);
    pinned = pinned && os::current().affinity().value == IndexSet{worker.cpu};
  });
  std::ranges::sort(seen, {}, &Worker::worker);
  CHECK(std::ranges::equal(seen, team.workers()));
  CHECK(pinned);
}

TEST_CASE("for_each_node calls once for each node that has workers, on that node") {
  World world(test::machine({{0, 2}, {4, 0}, {16, 3}}));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(5));
  std::mutex mutex;
  std::vector<unsigned> nodes;
  bool there = true;
  team.for_each_node([&](const Worker& worker) {
    const std::lock_guard lock(mutex);
    nodes.push_back(worker.node);
    const auto mask = os::current().affinity().value;
    there = there && mask.size() == 1 && topology.node_of_cpu(mask.indices()[0]) == worker.node;
  });
  std::ranges::sort(nodes);
  CHECK(nodes == std::vector<unsigned>{0, 2});
  CHECK(there);
}

TEST_CASE("calls without a plan rethrow what a worker threw, after all have finished") {
  const Team team(Topology::this_machine(), workers(2));
  std::atomic<int> calls{0};
  const auto fails = [&](const Worker& worker) {
    ++calls;
    if (worker.worker == 0) throw std::runtime_error("from a worker");
  };
  CHECK_THROWS_WITH(team.for_each_worker(fails), "from a worker");
  CHECK_THROWS_WITH(team.for_each_node(fails), "from a worker");
  // A thread that plays two workers ends with the first one that throws.
  CHECK(calls >= 2);
}

TEST_CASE("with stealing, who is done goes on with what others have not begun") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const auto plan = plan_on(topology, 64);
  TeamOptions options = workers(2);
  options.scheduling = Scheduling::stealing;
  const Team team(topology, options);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> seen(64, 0);
  std::uint64_t done = 0, of_worker_1 = 0;
  team.for_each_shard(plan, [&](const ShardPart& part) {
    std::unique_lock lock(mutex);
    for (const auto batch : part.batches) ++seen[batch];
    done += part.batches.count();
    if (part.worker.worker == 1) of_worker_1 += part.batches.count();
    changed.notify_all();
    if (part.worker.worker == 0)  // keeps at its first part until all else is done, by the other one
      changed.wait(lock, [&] { return done == 64; });
  });
  CHECK(seen == std::vector<int>(64, 1));
  CHECK(of_worker_1 > 32);
  CHECK(to_string(team.scheduling()) == "stealing");
}

TEST_CASE("the nearest node's work is taken first") {
  MachineData described = test::machine({{0}, {1}, {2}});
  described.distances = {10, 30, 20, 30, 10, 20, 20, 20, 10};
  World world(described);
  const auto topology = Topology::this_machine();
  TeamOptions options = workers(3);
  options.scheduling = Scheduling::stealing;
  const Team team(topology, options);
  WorkShares shares(team);
  for (unsigned worker = 0; worker < 3; ++worker)
    shares.give(worker, worker, {worker * 10, worker * 10 + 4}, 2);
  std::vector<std::size_t> order;
  while (const auto piece = shares.take(0, true)) order.push_back(piece->group);
  CHECK(order == std::vector<std::size_t>{0, 0, 2, 2, 1, 1});
}

TEST_CASE("nobody steals from a worker whose turn on the same thread is yet to come") {
  World world(test::even_machine(2));
  TeamOptions options = workers(2);
  options.scheduling = Scheduling::stealing;
  const Team team(Topology::this_machine(), options);
  WorkShares shares(team);
  shares.give(0, 0, {0, 4}, 4);
  shares.give(1, 1, {4, 8}, 4);
  CHECK(shares.take(0, false)->group == 0);
  CHECK_FALSE(shares.take(0, false));
  CHECK(shares.take(1, false)->units.begin == 4);
}

TEST_CASE("the caller's mask and OpenMP settings are as before") {
  const auto before = os::current().affinity().value;
  const int threads = omp_get_max_threads();
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(3));
  visits(team, plan_on(topology, 10));
  CHECK(os::current().affinity().value == before);
  CHECK(omp_get_max_threads() == threads);
}

TEST_CASE("a team works inside a parallel region of the caller") {
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(4));
  const auto plan = plan_on(topology, 100);
  std::atomic<int> wrong{0};
#pragma omp parallel num_threads(2)
  {
    std::atomic<int> seen{0};
    team.for_each_shard(plan, [&](const ShardPart& part) { seen += static_cast<int>(part.batches.count()); });
    if (seen != 100) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a thread that cannot be pinned is named, and its work is done") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(4));
  world.faulty.refuse(os::Call::set_affinity, EPERM);
  std::atomic<int> calls{0};
  const auto run = recorded_run(team, [&](unsigned, bool) { ++calls; });
  CHECK(calls == 4);
  for (const int error : run.pin_errors) CHECK(error == EPERM);
}

TEST_CASE("in a forked child work is done on the calling thread") {
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(2));
  const auto plan = plan_on(topology, 10);
  visits(team, plan);  // the parent's OpenMP threads exist: a region in the child would wait for them
  const pid_t child = ::fork();
  if (child == 0) {
    int seen = 0;
    team.for_each_shard(plan, [&](const ShardPart& part) { seen += static_cast<int>(part.batches.count()); });
    team.for_each_worker([&](const Worker&) { ++seen; });
    const bool serial = recorded_run(team, [](unsigned, bool) {}).on_calling_thread;
    ::_exit(seen == 12 && serial ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
