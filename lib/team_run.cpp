#include "team_run.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "base/checked.hpp"
#include "os/os.hpp"

namespace nodewise {

struct StayingThreads {
  struct Before {
    IndexSet mask;
    const StayingThreads* stayed_for = nullptr;
    unsigned stayed_on = 0;
  };
  std::vector<Before> before;  // what each thread had, by its number
  IndexSet caller_cpu;         // where the calling thread stays
  IndexSet caller_mask;        // what it had before it stayed anywhere
  std::atomic<unsigned> count{0};
};

namespace {

// On whose behalf the calling thread stays on a CPU between calls, and on which.
thread_local const StayingThreads* stays_for = nullptr;
thread_local unsigned stays_on = 0;

// Pins the calling thread and gives its mask back. A mask that cannot be read could not be given back, so
// then nothing is pinned.
class Pin {
 public:
  // `caller`: for whom the thread stays that makes the call, and so may have started this one.
  explicit Pin(const StayingThreads* caller) : caller_(caller) {}
  ~Pin() {
    if (moved_) os::current().set_affinity(mask_.value);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  int to(unsigned cpu) {
    if (!moved_) {
      if (stays_for != nullptr && stays_on == cpu) return 0;
      mask_ = os::current().affinity();
      if (!mask_.ok()) return mask_.error;
      if (started_meanwhile()) mask_.value = caller_->caller_mask;
    }
    const int error = os::current().set_affinity({cpu});
    moved_ = moved_ || error == 0;
    return error;
  }

  // Leaves the thread on `cpu`, where it is, and what it had before in the care of `threads`.
  void stay(StayingThreads& threads, std::size_t thread, unsigned cpu) noexcept {
    if (!moved_) return;
    threads.before[thread] = {std::move(mask_.value), std::exchange(stays_for, &threads),
                              std::exchange(stays_on, cpu)};
    moved_ = false;
    ++threads.count;
  }

 private:
  // A thread begins with the mask of the one that starts it, which here was only lent.
  bool started_meanwhile() const {
    return caller_ != nullptr && stays_for == nullptr && mask_.value == caller_->caller_cpu;
  }

  const StayingThreads* caller_;
  os::Result<IndexSet> mask_;
  bool moved_ = false;
};

// More threads than CPUs gain nothing, and where threads are limited OpenMP ends the process.
int thread_count(const Team& team) {
  return static_cast<int>(std::min<std::size_t>(team.workers().size(), team.usable_cpus().size()));
}

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
    Pin pin(caller_);
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
  TeamRun* run_;  // where to put what it was, if anybody asks
  const StayingThreads* caller_ = stays_for;
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
};

void run(const Team& team, const TeamWork& fn, TeamRun* run) {
  Region region(team, fn, run);
  if (os::in_forked_child()) {
    // The OpenMP runtime's threads did not survive the fork, and a new region may wait for them for ever.
    if (run != nullptr) run->on_calling_thread = true;
    region.play(0, 1, [] {});
  } else {
    const int threads = thread_count(team);
    // Threads that stay are there and pinned already; one that is new after all pins itself first.
    const bool all_stay = stays_for != nullptr && stays_for->count >= static_cast<unsigned>(threads);
#pragma omp parallel num_threads(threads)
    region.play(static_cast<unsigned>(omp_get_thread_num()), static_cast<unsigned>(omp_get_num_threads()),
                [all_stay] {
                  if (all_stay) return;
#pragma omp barrier
                });
  }
  region.rethrow();
}

}  // namespace

std::vector<std::vector<base::Range>> rows_by_worker(const Plan& plan, const Team& team) {
  std::vector<std::vector<base::Range>> rows(team.workers().size());
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const ByteRange bytes = plan.shards()[shard].bytes;
    const std::uint64_t first = bytes.begin / plan.row_bytes();
    const auto readers = team.readers(plan, shard);
    for (std::size_t part = 0; part < readers.size(); ++part) {
      const auto range = base::split(bytes.bytes() / plan.row_bytes(), readers.size(), part);
      if (range.size() > 0) rows[readers[part]].push_back({first + range.begin, first + range.end});
    }
  }
  return rows;
}

os::Result<IndexSet> caller_mask() {
  if (stays_for != nullptr) return {stays_for->caller_mask, 0};
  return os::current().affinity();
}

void run_team(const Team& team, const TeamWork& fn) {
  run(team, fn, nullptr);
}

TeamRun recorded_run(const Team& team, const TeamWork& fn) {
  TeamRun record;
  run(team, fn, &record);
  return record;
}

StayPinned::StayPinned(const Team& team) : threads_(std::make_unique<StayingThreads>()) {
  const auto threads = static_cast<unsigned>(thread_count(team));
  // A thread that is to play several workers cannot stay with one.
  if (os::in_forked_child() || threads < team.workers().size()) return;
  const StayingThreads* const caller = stays_for;
  const auto mask = caller_mask();
  if (!mask.ok()) return;  // which could not be given back
  threads_->before.resize(threads);
  threads_->caller_cpu = {team.workers().front().cpu};
  threads_->caller_mask = mask.value;
#pragma omp parallel num_threads(static_cast <int>(threads))
  if (static_cast<unsigned>(omp_get_num_threads()) == threads) {
    const auto thread = static_cast<unsigned>(omp_get_thread_num());
    const unsigned cpu = team.workers()[thread].cpu;
    try {
      Pin pin(caller);
      if (pin.to(cpu) == 0) pin.stay(*threads_, thread, cpu);
    } catch (...) {  // no memory for a mask: this one is pinned by each call, as without us
    }
  }
}

StayPinned::~StayPinned() {
  const auto give_back = [this](std::size_t thread) noexcept {
    if (stays_for != threads_.get()) return;
    const StayingThreads::Before& before = threads_->before[thread];
    os::current().set_affinity(before.mask);
    stays_for = before.stayed_for;
    stays_on = before.stayed_on;
  };
  if (threads_->count == 0) return;
  if (os::in_forked_child()) {  // which the other threads did not survive
    give_back(0);
  } else {
#pragma omp parallel num_threads(static_cast <int>(threads_->before.size()))
    give_back(static_cast<std::size_t>(omp_get_thread_num()));
  }
}

unsigned StayPinned::threads() const noexcept {
  return threads_->count;
}

}  // namespace nodewise
