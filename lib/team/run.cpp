#include "team/run.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include <nodewise/stay_pinned.hpp>

#include "base/checked.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

// Where the calling thread stays between calls, and for whom.
struct Stay {
  const StayingThreads* threads = nullptr;
  std::uint64_t number = 0;  // of those threads: addresses are used again
  std::size_t thread = 0;    // its own place among them
  unsigned cpu = 0;
};
thread_local Stay stay;
std::atomic<std::uint64_t> stays{0};

}  // namespace

struct StayingThreads {
  struct Before {
    IndexSet mask;
    Stay stay;
  };

  const std::uint64_t number = ++stays;
  IndexSet caller_mask;        // what the calling thread had before it stayed anywhere
  std::vector<unsigned> cpus;  // where the threads stay; the first is the calling one
  std::vector<Before> before;
  std::atomic<unsigned> count{0};
};

namespace {

// Whether the calling thread has a mask that was only lent to the thread that started it, who stays for
// `callers`: a thread begins with the mask of its starter.
bool began_with_lent_mask(const StayingThreads* callers, const IndexSet& mask) {
  return callers != nullptr && stay.threads == nullptr && mask == IndexSet{callers->cpus.front()};
}

// Pins the calling thread and gives its mask back. A mask that cannot be read could not be given back, so
// then nothing is pinned.
class Pin {
 public:
  // `callers`: for whom the thread stays that makes the call, and so may have started this one.
  explicit Pin(const StayingThreads* callers) : callers_(callers) {}
  ~Pin() {
    if (moved_) os::current().set_affinity(mask_.value);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  int to(unsigned cpu) {
    if (!moved_) {
      if (stay.threads != nullptr && stay.cpu == cpu) return 0;
      mask_ = os::current().affinity();
      if (!mask_.ok()) return mask_.error;
      if (began_with_lent_mask(callers_, mask_.value)) mask_.value = callers_->caller_mask;
    }
    const int error = os::current().set_affinity({cpu});
    moved_ = moved_ || error == 0;
    return error;
  }

  // Leaves the thread where it is, as one of `threads`, with what it had before in their care.
  void leave(StayingThreads& threads, std::size_t thread) noexcept {
    if (!moved_) return;
    moved_ = false;
    threads.before[thread] = {std::move(mask_.value), stay};
    stay = {&threads, threads.number, thread, threads.cpus[thread]};
    ++threads.count;
  }

 private:
  const StayingThreads* callers_;
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
  TeamRun* run_;  // where to put what it was, if anybody asks
  const StayingThreads* callers_ = stay.threads;
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
};

// Whether the calling thread and those of its last region stay where this team wants them.
bool all_stay(const Team& team) {
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
  if (stay.threads != nullptr) return {stay.threads->caller_mask, 0};
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
  const auto mask = caller_mask();
  // A thread that is to play several workers cannot stay with one; a mask that cannot be read cannot be given
  // back.
  if (os::in_forked_child() || threads < team.workers().size() || !mask.ok()) return;
  threads_->caller_mask = mask.value;
  for (const Worker& worker : team.workers()) threads_->cpus.push_back(worker.cpu);
  threads_->before.resize(threads);
  const StayingThreads* const callers = stay.threads;
#pragma omp parallel num_threads(static_cast <int>(threads))
  if (static_cast<unsigned>(omp_get_num_threads()) == threads) {
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    try {
      Pin pin(callers);
      if (pin.to(threads_->cpus[thread]) == 0) pin.leave(*threads_, thread);
    } catch (...) {  // no memory for a mask: this one is pinned by each call, as without us
    }
  }
}

namespace {

// To the calling thread, what it had before it was one of `threads`; or, where it is none of them but began
// as one, what they had.
void give_back(const StayingThreads& threads) noexcept {
  if (stay.number == threads.number) {
    const StayingThreads::Before& before = threads.before[stay.thread];
    os::current().set_affinity(before.mask);
    stay = before.stay;
    return;
  }
  try {
    const auto mask = os::current().affinity();
    if (mask.ok() && began_with_lent_mask(&threads, mask.value))
      os::current().set_affinity(threads.caller_mask);
  } catch (...) {  // no memory for a mask
  }
}

}  // namespace

StayPinned::~StayPinned() {
  if (threads_->count == 0) return;
  if (os::in_forked_child()) {  // which the other threads did not survive
    give_back(*threads_);
  } else {
#pragma omp parallel num_threads(static_cast <int>(threads_->before.size()))
    give_back(*threads_);
  }
}

unsigned StayPinned::threads() const noexcept {
  return threads_->count;
}

}  // namespace nodewise
