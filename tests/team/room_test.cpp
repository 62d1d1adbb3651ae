// Goal: threads that the system would refuse are an exception before the region is formed, since OpenMP would
// end the process; the library works on where they are not needed, and afterwards; OpenMP's variables are
// read as OpenMP reads them. Method: the trial is counted, or made to fail, at the seam to the system. What
// the runtime keeps belongs to a thread, so each case calls from a new one.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>

#include <nodewise/error.hpp>
#include <nodewise/stay_pinned.hpp>
#include <nodewise/team.hpp>

#include "support/machines.hpp"

using namespace nodewise;
using test::Environment;
using test::World;

namespace {

void in_new_thread(const std::function<void()>& call) {
  std::thread(call).join();
}

Team team_of(unsigned workers) {
  TeamOptions options;
  options.workers = workers;
  return Team(Topology::this_machine(), options);
}

unsigned workers_seen(const Team& team) {
  std::atomic<unsigned> seen{0};
  team.for_each_worker([&](const Worker&) { ++seen; });
  return seen;
}

// The message of the ThreadError that `call` throws, or nothing.
std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const ThreadError& error) {
    CHECK(error.kind() == ErrorKind::threads);
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("threads that cannot be started are an error that names numbers, limits and a remedy") {
  World world(test::even_machine(4));
  world.fake.set_text("/proc/self/limits", "Max processes             7          9          processes\n");
  const Team team = team_of(4);
  in_new_thread([&] {
    world.faulty.fail(os::Call::try_threads, 1, EAGAIN);
    const std::string message = refusal([&] { workers_seen(team); });
    for (const char* part :
         {"4 threads", "3 more", "RLIMIT_NPROC (ulimit -u) = 7", "NODEWISE_WORKERS", "EAGAIN"})
      CHECK_MESSAGE(contains(message, part), message);
    CHECK(workers_seen(team) == 4);  // once they can be
  });
  in_new_thread([&] {
    world.faulty.fail(os::Call::try_threads, 1, EAGAIN);
    CHECK(contains(refusal([&] { const StayPinned stay(team); }), "3 more"));
  });
}

TEST_CASE("threads are tried once for as many as a region has, and not where none is started") {
  World world(test::even_machine(4));
  const auto tried = [&] { return world.faulty.calls(os::Call::try_threads); };
  in_new_thread([&] {
    for (int call = 0; call < 3; ++call) CHECK(workers_seen(team_of(4)) == 4);
    CHECK(tried() == 1);
    CHECK(workers_seen(team_of(6)) == 6);
    CHECK(tried() == 2);
    CHECK(workers_seen(team_of(1)) == 1);
    CHECK(tried() == 2);
  });
  world.faulty.refuse(os::Call::try_threads, EAGAIN);
  in_new_thread([&] { CHECK(workers_seen(team_of(1)) == 1); });
  const Team team = team_of(2);
  std::atomic<unsigned> seen{0};
#pragma omp parallel num_threads(2)
  seen += workers_seen(team);  // a nested region has one thread
  CHECK(seen == 4);
}

TEST_CASE("stacks that are too small for a worker are an error that names the variable") {
  World world(test::even_machine(2));
  const Team team = team_of(2);
  const auto refused_with = [&](const char* value) {
    const Environment stack("OMP_STACKSIZE", value);
    std::string message;
    in_new_thread([&] { message = refusal([&] { workers_seen(team); }); });
    return message;
  };
  for (const char* small : {"16k", "16", " 64 K ", "65536B"})
    CHECK(contains(refused_with(small), "OMP_STACKSIZE="));
  for (const char* enough : {"1M", "512", "abc", "", "-1", "2097152b"}) CHECK(refused_with(enough).empty());
}

TEST_CASE("OMP_NUM_THREADS is read as OpenMP reads it") {
  CHECK(omp_num_threads("3") == 3U);
  CHECK(omp_num_threads(" 3 ") == 3U);
  CHECK(omp_num_threads("+3") == 3U);
  CHECK(omp_num_threads("8, 2") == 8U);
  for (const char* ignored : {"", "abc", "-1", "0", "2;1", "3,x", "5,", ",5", "3,0", "0x4", "1.5"})
    CHECK_FALSE(omp_num_threads(ignored));
  World world(test::even_machine(4));
  const Team unlimited(Topology::this_machine());
  const Environment threads("OMP_NUM_THREADS", "2;1");
  const Team team(Topology::this_machine());
  CHECK(team.workers().size() == unlimited.workers().size());
}
