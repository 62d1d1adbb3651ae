#include "team/run.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include <nodewise/stay_pinned.hpp>

#include "base/checked.hpp"
#include "os/os.hpp"
#include "team/pinning.hpp"

namespace nodewise {
namespace {

class Region {
 public:
  Region(const Team& team, const TeamWork& fn, TeamRun* run) : team_(team), fn_(fn), run_(run) {
    if (run_ == nullptr) return;
    run_->ran_on.assign(team.workers().begin(), team.workers().end());
    run_->pin_errors.assign(team.workers().size(), 0);
  }

  // What thread `thread` of `threads` does: pins itself for its first worker, waits for the others, then
  // plays all its workers. Whatever fails, every thread reaches the barrier.
  template <class Barrier>
  void play(unsigned thread, unsigned threads, Barrier barrier) noexcept {
    const auto mine = base::split(team_.workers().size(), threads, thread);
    Pin pin(callers_);
    bool entered = false;
    keep_failure([&] {
      if (mine.size() > 0) enter(static_cast<unsigned>(mine.begin), pin);
      entered = true;
    });
    barrier();
    keep_failure([&] {
      for (auto worker = static_cast<unsigned>(mine.begin); entered && worker < mine.end; ++worker) {
        if (worker != mine.begin) enter(worker, pin);
        fn_(worker, threads >= team_.workers().size());
      }
    });
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  // Nothing may leave a parallel region, so the first thing thrown is kept for its end.
  template <class Fn>
  void keep_failure(Fn fn) noexcept {
    try {
      fn();
    } catch (...) {
      if (!failed_.exchange(true)) failure_ = std::current_exception();
    }
  }

  void enter(unsigned worker, Pin& pin) {
    const int error = pin.to(team_.workers()[worker].cpu);
    if (run_ == nullptr) return;
    run_->pin_errors[worker] = error;
    const auto cpu = os::current().current_cpu();
    if (!cpu.ok()) return;
    run_->ran_on[worker].cpu = cpu.value;
    run_->ran_on[worker].node = team_.topology().node_of_cpu(cpu.value).value_or(run_->ran_on[worker].node);
  }

  const Team& team_;
  const TeamWork& fn_;
  TeamRun* run_;  // where to record the region, if that is asked for
  const StayingThreads* callers_ = current_stay().threads;
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
};

// Whether the calling thread and those of its last region stay where this team wants them.
bool all_stay(const Team& team) {
  const Stay& stay = current_stay();
  if (stay.threads == nullptr || stay.thread != 0) return false;
  const std::vector<unsigned>& cpus = stay.threads->cpus;
  return stay.threads->count == cpus.size() &&
         std::equal(cpus.begin(), cpus.end(), team.workers().begin(), team.workers().end(),
                    [](unsigned cpu, const Worker& worker) { return cpu == worker.cpu; });
}

void run(const Team& team, const TeamWork& fn, TeamRun* run) {
  Region region(team, fn, run);
  if (os::in_forked_child()) {
    // The OpenMP runtime's threads did not survive the fork, and a new region may wait for them for ever.
    if (run != nullptr) run->on_calling_thread = true;
    region.play(0, 1, [] {});
  } else {
    const int threads = thread_count(team);
    // Those that stay need not wait for each other to be pinned.
    const bool at_once = all_stay(team);
#pragma omp parallel num_threads(threads)
    region.play(static_cast<unsigned>(omp_get_thread_num()), static_cast<unsigned>(omp_get_num_threads()),
                [at_once] {
                  if (at_once) return;
#pragma omp barrier
                });
  }
  region.rethrow();
}

}  // namespace

// More threads than CPUs gain nothing, and where threads are limited OpenMP ends the process.
int thread_count(const Team& team) {
  return static_cast<int>(std::min<std::size_t>(team.workers().size(), team.usable_cpus().size()));
}

void run_team(const Team& team, const TeamWork& fn) {
  run(team, fn, nullptr);
}

TeamRun recorded_run(const Team& team, const TeamWork& fn) {
  TeamRun record;
  run(team, fn, &record);
  return record;
}

}  // namespace nodewise
