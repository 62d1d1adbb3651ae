// A call of the team that does nothing, beside OpenMP regions written by hand.
//
//   team/threads:T   a hundred calls
#include <omp.h>
#include <sched.h>

#include <memory>
#include <vector>

#include <fmt/format.h>

#include <nodewise/stay_pinned.hpp>

#include "support/data.hpp"
#include "support/rounds.hpp"
#include "team/run.hpp"

namespace {

using namespace bench;

constexpr int calls = 100;

/// Threads of OpenMP that keep to the team's CPUs as long as this lives, and get their masks back.
class KeptPinned {
 public:
  explicit KeptPinned(unsigned threads) : threads_(threads), before_(threads) {
#pragma omp parallel num_threads(static_cast <int>(threads_))
    {
      const auto thread = static_cast<unsigned>(omp_get_thread_num());
      sched_getaffinity(0, sizeof(cpu_set_t), &before_[thread]);
      cpu_set_t here;
      CPU_ZERO(&here);
      CPU_SET(team(threads_).workers()[thread].cpu, &here);
      sched_setaffinity(0, sizeof here, &here);
    }
  }
  ~KeptPinned() {
#pragma omp parallel num_threads(static_cast <int>(threads_))
    sched_setaffinity(0, sizeof(cpu_set_t), &before_[static_cast<unsigned>(omp_get_thread_num())]);
  }
  KeptPinned(const KeptPinned&) = delete;
  KeptPinned& operator=(const KeptPinned&) = delete;

 private:
  unsigned threads_;
  std::vector<cpu_set_t> before_;
};

void nothing(unsigned thread) {
  benchmark::DoNotOptimize(thread);
}

void add_ways(unsigned threads) {
  const std::string name = fmt::format("team/threads:{}", threads);
  const auto call_team = [](const nodewise::Team& where) {
    for (int call = 0; call < calls; ++call)
      nodewise::run_team(where, [](unsigned worker, bool) { nothing(worker); });
  };
  add(name, "nodewise_pinning", [=]() -> Work { return [=, &where = team(threads)] { call_team(where); }; });
  add(name, "nodewise", [=]() -> Work {
    return [=, &where = team(threads), stay = std::make_shared<const nodewise::StayPinned>(team(threads))] {
      call_team(where);
    };
  });
  add(name, "bare", [threads]() -> Work {
    team(threads);
    return [threads, kept = std::make_shared<KeptPinned>(threads)] {
      for (int call = 0; call < calls; ++call) {
#pragma omp parallel num_threads(static_cast <int>(threads))
        nothing(static_cast<unsigned>(omp_get_thread_num()));
      }
    };
  });
  add(name, "bare_pinning", [threads]() -> Work {
    return [threads] {
      for (int call = 0; call < calls; ++call) pinned(threads, nothing);
    };
  });
}

void add_cases() {
  for (const unsigned threads : {1U, 2U}) add_ways(threads);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
