// Goal: under StayPinned a team's calls find their threads pinned and pin nothing; whatever happens in
// between or is refused, calls do what they do without it, and in the end every thread has its mask back.
// Method: calls are counted at the seam to the system; masks are read by the threads themselves.
#include <doctest/doctest.h>
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>

#include <nodewise/stay_pinned.hpp>

#include "support/machines.hpp"
#include "support/skip.hpp"
#include "team/run.hpp"

using namespace nodewise;
using test::World;

namespace {

Team team_of(unsigned workers) {
  TeamOptions options;
  options.workers = workers;
  return Team(Topology::this_machine(), options);
}

using Masks = std::vector<IndexSet>;

// Of as many threads of OpenMP as the team has workers, by number.
Masks masks_of_threads(unsigned threads) {
  Masks masks(threads);
#pragma omp parallel num_threads(static_cast <int>(threads))
  masks[static_cast<std::size_t>(omp_get_thread_num())] = os::current().affinity().value;
  return masks;
}

// What each worker sees while it works.
Masks masks_of_workers(const Team& team) {
  Masks masks(team.workers().size());
  run_team(team, [&](unsigned worker, bool) { masks[worker] = os::current().affinity().value; });
  return masks;
}

Masks cpus_of(const Team& team) {
  Masks masks;
  for (const Worker& worker : team.workers()) masks.push_back({worker.cpu});
  return masks;
}

}  // namespace

TEST_CASE("threads stay where they are, and have their masks back in the end") {
  World world(test::even_machine(2));
  const Team team = team_of(2);
  const Masks before = masks_of_threads(2);
  {
    const StayPinned stay(team);
    CHECK(stay.threads() == 2);
    CHECK(masks_of_threads(2) == cpus_of(team));
    const auto pinned = world.faulty.calls(os::Call::set_affinity);
    CHECK(masks_of_workers(team) == cpus_of(team));
    const auto run = recorded_run(team, [](unsigned, bool) {});
    for (const int error : run.pin_errors) CHECK(error == 0);
    CHECK(run.ran_on.size() == 2);
    CHECK(world.faulty.calls(os::Call::set_affinity) == pinned);
    CHECK(masks_of_threads(2) == cpus_of(team));
  }
  CHECK(masks_of_threads(2) == before);
  const auto pinned = world.faulty.calls(os::Call::set_affinity);
  CHECK(masks_of_workers(team) == cpus_of(team));
  CHECK(world.faulty.calls(os::Call::set_affinity) == pinned + 2);
}

TEST_CASE("a cpuset that grows is open to threads that had no mask of their own, and to no others") {
  World world(test::even_machine(4));
  const IndexSet small{0, 1}, whole{0, 1, 2, 3, 4, 5, 6, 7};
  const auto while_growing = [&](const auto& call) {
    world.fake.set_cpuset(small);
    call();
    world.fake.set_cpuset(whole);
    return os::current().affinity().value;
  };
  const auto stay_for_a_call = [&] {
    const StayPinned stay(team_of(2));
    CHECK(stay.threads() == 2);
    world.fake.set_cpuset(whole);  // as it may at any time
    CHECK(masks_of_workers(team_of(2)).size() == 2);
  };
  CHECK(while_growing([] { masks_of_workers(team_of(2)); }) == whole);
  CHECK(while_growing(stay_for_a_call) == whole);
  CHECK(masks_of_threads(2) == Masks{whole, whole});
  // A mask of the user's own is kept, whatever the cpuset becomes.
  world.fake.set_affinity({1});
  CHECK(while_growing([] { masks_of_workers(team_of(1)); }) == IndexSet{1});
  CHECK(while_growing([] { const StayPinned stay(team_of(1)); }) == IndexSet{1});
}

TEST_CASE("a cpuset that moves elsewhere during a call leaves no thread without a CPU") {
  World world(test::even_machine(4));
  world.fake.set_affinity({0, 1});
  run_team(team_of(1), [&](unsigned, bool) { world.faulty.refuse(os::Call::set_affinity, EINVAL); });
  CHECK(os::current().affinity().value.size() == 8);
}

TEST_CASE("another team's calls in between go where that team says, and come back") {
  World world(test::even_machine(2, 2));
  const Team team = team_of(2), wider = team_of(4);
  REQUIRE(cpus_of(wider)[1] != cpus_of(team)[1]);
  const Masks before = masks_of_threads(4);
  {
    const StayPinned stay(team);
    CHECK(masks_of_workers(wider) == cpus_of(wider));
    CHECK(masks_of_threads(4)[0] == cpus_of(team)[0]);
    {
      const StayPinned inner(wider);
      CHECK(masks_of_threads(4) == cpus_of(wider));
      CHECK(masks_of_workers(team) == cpus_of(team));  // OpenMP may end the threads that it does not need
      CHECK(masks_of_workers(wider) == cpus_of(wider));
    }
    CHECK(masks_of_workers(team) == cpus_of(team));
  }
  CHECK(masks_of_threads(4) == before);
}

TEST_CASE("a thread that a call started meanwhile is given what its starter had before") {
  const IndexSet before = os::current().affinity().value;
  if (before.size() < 2) NODEWISE_SKIP("one CPU: no thread could be elsewhere");
  REQUIRE(omp_pause_resource_all(omp_pause_hard) == 0);  // so that no thread is left to be used again
  {
    const StayPinned stay(team_of(1));
    const Team wider = team_of(2);
    REQUIRE(wider.usable_cpus() == before);
    CHECK(masks_of_workers(wider) == cpus_of(wider));
    CHECK(masks_of_threads(2)[1] == before);
  }
  CHECK(masks_of_threads(2) == Masks{before, before});
}

TEST_CASE("threads that OpenMP had to start anew meanwhile have the mask that their starter had before") {
  const IndexSet before = os::current().affinity().value;
  if (before.size() < 2) NODEWISE_SKIP("one CPU: no thread could be elsewhere");
  {
    const StayPinned stay(team_of(2));
    CHECK(stay.threads() == 2);
    REQUIRE(omp_pause_resource_all(omp_pause_hard) == 0);
  }
  CHECK(masks_of_threads(2) == Masks{before, before});
}

TEST_CASE("where pinning is refused nothing stays, and calls say so as ever") {
  World world(test::even_machine(2));
  const Team team = team_of(2);
  world.faulty.refuse(os::Call::set_affinity, EPERM);
  const StayPinned stay(team);
  CHECK(stay.threads() == 0);
  const auto run = recorded_run(team, [](unsigned, bool) {});
  for (const int error : run.pin_errors) CHECK(error == EPERM);
}

TEST_CASE("one thread that may not be pinned is pinned by each call") {
  World world(test::even_machine(2));
  const Team team = team_of(2);
  world.faulty.fail(os::Call::set_affinity, 1, EINVAL);
  const Masks before = masks_of_threads(2);
  {
    const StayPinned stay(team);
    CHECK(stay.threads() == 1);
    CHECK(masks_of_workers(team) == cpus_of(team));
  }
  CHECK(masks_of_threads(2) == before);
}

TEST_CASE("a thread that plays several workers stays with none") {
  World world(test::even_machine(2));
  const Team team = team_of(5);
  const StayPinned stay(team);
  CHECK(stay.threads() == 0);
  const auto run = recorded_run(team, [](unsigned, bool) {});
  CHECK(run.ran_on.size() == 5);
}

TEST_CASE("inside a parallel region of the caller") {
  World world(test::even_machine(2));
  const Team team = team_of(1);
  const Masks before = masks_of_threads(2);
  std::atomic<unsigned> stayed{0}, pinned{0};
#pragma omp parallel num_threads(2)
  {
    const StayPinned stay(team);
    stayed += stay.threads();
    if (masks_of_workers(team) == cpus_of(team)) ++pinned;
  }
  CHECK(stayed == 2);
  CHECK(pinned == 2);
  CHECK(masks_of_threads(2) == before);
}

TEST_CASE("a forked child has its own thread's mask back, and never waits for the others") {
  const Team team = team_of(2);
  const auto before = os::current().affinity().value;
  std::optional<StayPinned> stay(team);
  CHECK(stay->threads() == (before.size() > 1 ? 2 : 0));
  const pid_t child = ::fork();
  if (child == 0) {
    int calls = 0;
    run_team(team, [&](unsigned, bool) { ++calls; });
    const bool none = StayPinned(team).threads() == 0;
    stay.reset();
    ::_exit(calls == 2 && none && os::current().affinity().value == before ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
