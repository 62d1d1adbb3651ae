// Goal: a thread that took part in a call may use CPUs that its cpuset gets later, as any other thread may. A
// mask that the user has set is kept. Since Linux 6.2, sched_setaffinity alone would keep the thread from the
// new CPUs. Method: the cpuset of this process grows after each kind of call, and each OpenMP thread says how
// many CPUs it may use. Runs as root, in a cpuset of its own; tests/machines boots a machine for it.
#include <doctest/doctest.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <nodewise/loader.hpp>
#include <nodewise/stay_pinned.hpp>

#include "support/machines.hpp"
#include "support/skip.hpp"

using namespace nodewise;

namespace {

// The folder of this process's cpuset, or nothing where that is the root's.
std::string cpuset_folder() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::string path = line.substr(line.rfind(':') + 1);
    if (path == "/") continue;
    if (line.starts_with("0::")) return "/sys/fs/cgroup" + path;
    if (line.find(":cpuset:") != line.npos) return "/sys/fs/cgroup/cpuset" + path;
  }
  return {};
}

bool set_cpuset(const std::string& cpus) {
  std::ofstream file(cpuset_folder() + "/cpuset.cpus");
  file << cpus << std::flush;
  return file.good();
}

int allowed_cpus() {
  cpu_set_t mask;
  return ::sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : -1;
}

std::vector<int> allowed_cpus_of_threads(unsigned threads) {
  std::vector<int> counts(threads);
#pragma omp parallel num_threads(static_cast <int>(threads))
  counts[static_cast<std::size_t>(omp_get_thread_num())] = allowed_cpus();
  return counts;
}

// A cpuset of half the CPUs, and one of all of them.
struct Sizes {
  unsigned all = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
  std::string half = "0-" + std::to_string(all / 2 - 1);
  std::string whole = "0-" + std::to_string(all - 1);
};
const Sizes sizes;

bool may_set_cpuset() {
  return !cpuset_folder().empty() && sizes.all > 1 && set_cpuset(sizes.whole);
}

void compute_and_place() {
  const BatchLoader loader({{1000, 16}, DType::f32, 100});
  CHECK(loader.means().size() == 10);
}

// Placing by first touch moves threads between nodes.
void place_by_first_touch() {
  os::Faulty faulty(os::real());
  faulty.refuse(os::Call::bind, EPERM);
  const os::Scoped scoped(faulty);
  compute_and_place();
}

void stay_pinned() {
  const BatchLoader loader({{1000, 16}, DType::f32, 100});
  const StayPinned stay(loader.team());
  CHECK(loader.means().size() == 10);
}

}  // namespace

TEST_CASE("after each kind of call, a cpuset that grows is open to all threads") {
  if (!may_set_cpuset()) NODEWISE_SKIP("needs a cpuset of its own, and root");
  const std::vector<int> half(sizes.all / 2, static_cast<int>(sizes.all / 2));
  const std::vector<int> whole(sizes.all / 2, static_cast<int>(sizes.all));
  for (const auto call : {compute_and_place, place_by_first_touch, stay_pinned}) {
    REQUIRE(set_cpuset(sizes.half));
    REQUIRE(allowed_cpus_of_threads(sizes.all / 2) == half);
    call();
    CHECK(allowed_cpus_of_threads(sizes.all / 2) == half);
    REQUIRE(set_cpuset(sizes.whole));
    CHECK(allowed_cpus_of_threads(sizes.all / 2) == whole);
  }
}

TEST_CASE("a cpuset that grows during a call is open to all threads afterwards") {
  if (!may_set_cpuset()) NODEWISE_SKIP("needs a cpuset of its own, and root");
  REQUIRE(set_cpuset(sizes.half));
  const BatchLoader loader({{1000, 16}, DType::f32, 100});
  loader.team().for_each_node([&](const Worker&) { REQUIRE(set_cpuset(sizes.whole)); });
  CHECK(allowed_cpus() == static_cast<int>(sizes.all));
}

TEST_CASE("a mask of the user's own stays what it is") {
  if (!may_set_cpuset()) NODEWISE_SKIP("needs a cpuset of its own, and root");
  REQUIRE(set_cpuset(sizes.half));
  std::thread([] {
    REQUIRE(os::real().set_affinity({0}) == 0);
    if (sizes.all < 4) REQUIRE(set_cpuset(sizes.whole));  // of one CPU, it would be no limit
    compute_and_place();
    stay_pinned();
    REQUIRE(set_cpuset(sizes.whole));
    CHECK(allowed_cpus() == 1);
  }).join();
}
