#include "team/run.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include <nodewise/stay_pinned.hpp>

#include "base/checked.hpp"
#include "os/os.hpp"
#include "team/openmp/openmp.hpp"
#include "team/pinning.hpp"

namespace nodewise {
namespace {

class Region {
 public:
  // With `at_once` no thread waits for the others to be pinned.
  Region(const Team& team, const TeamWork& fn, TeamRun* run, bool at_once)
      : team_(team), fn_(fn), run_(run), at_once_(at_once) {
    if (!at_once_) callers_mask_ = os::current().affinity();
    if (run_ == nullptr) return;
    run_->ran_on.assign(team.workers().begin(), team.workers().end());
    run_->pin_errors.assign(team.workers().size(), 0);
  }

  // Does the work of thread number `thread` of `threads`: pins the thread for its first worker, waits for the
  // other threads, then runs all its workers. Every thread reaches the barrier, whatever fails.
  void play(unsigned thread, unsigned threads) noexcept {
    const auto mine = base::split(team_.workers().size(), threads, thread);
    Pin pin(callers_, thread == 0 && !at_once_ ? &callers_mask_ : nullptr);
    bool entered = false;
    keep_failure([&] {
      if (mine.size() > 0) enter(static_cast<unsigned>(mine.begin), pin);
      entered = true;
    });
    if (!at_once_ && threads > 1) openmp().barrier();
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
  // An exception must not leave a parallel region, so the first one is kept until the region has ended.
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
  TeamRun* run_;  // where to record the region, if it is to be recorded
  const bool at_once_;
  os::Result<IndexSet> callers_mask_;  // before the region was formed
  const StayingThreads* callers_ = current_stay().threads;
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
};

// Whether the calling thread, and the threads of its last region, already stay on the CPUs of this team.
bool all_stay(const Team& team) {
  const Stay& stay = current_stay();
  if (stay.threads == nullptr || stay.thread != 0) return false;
  const std::vector<unsigned>& cpus = stay.threads->cpus;
  return stay.threads->count == cpus.size() &&
         std::equal(cpus.begin(), cpus.end(), team.workers().begin(), team.workers().end(),
                    [](unsigned cpu, const Worker& worker) { return cpu == worker.cpu; });
}

void run(const Team& team, const TeamWork& fn, TeamRun* run) {
  // Threads that stay need not wait for each other to be pinned.
  Region region(team, fn, run, all_stay(team));
  if (os::in_forked_child()) {
    // The threads of the OpenMP runtime did not survive the fork, and a new region might wait for them
    // forever.
    if (run != nullptr) run->on_calling_thread = true;
    region.play(0, 1);
  } else {
    form_region(thread_count(team), [&](unsigned thread, unsigned threads) { region.play(thread, threads); });
  }
  region.rethrow();
}

}  // namespace

// More threads than CPUs gain nothing, and OpenMP ends the process if it may not start that many threads.
unsigned thread_count(const Team& team) {
  return static_cast<unsigned>(std::min<std::size_t>(team.workers().size(), team.usable_cpus().size()));
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
