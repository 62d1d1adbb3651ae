#include "team_run.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>

#include "base/checked.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

// Pins the calling thread and gives its mask back. A mask that cannot be read could not be given back, so
// then nothing is pinned.
class Pin {
 public:
  Pin() : mask_(os::current().affinity()) {}
  ~Pin() {
    if (moved_) os::current().set_affinity(mask_.value);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  int to(unsigned cpu) {
    if (!mask_.ok()) return mask_.error;
    const int error = os::current().set_affinity({cpu});
    moved_ = moved_ || error == 0;
    return error;
  }

 private:
  os::Result<IndexSet> mask_;
  bool moved_ = false;
};

class Region {
 public:
  Region(const Team& team, const std::function<void(unsigned, bool)>& fn) : team_(team), fn_(fn) {
    run.ran_on.assign(team.workers().begin(), team.workers().end());
    run.pin_errors.assign(team.workers().size(), 0);
  }

  // What thread `thread` of `threads` does: pins itself for its first worker, waits for the others, then
  // plays all its workers. Whatever fails, every thread reaches the barrier.
  template <class Barrier>
  void play(unsigned thread, unsigned threads, Barrier barrier) noexcept {
    const auto mine = base::split(team_.workers().size(), threads, thread);
    std::optional<Pin> pin;
    keep_failure([&] {
      pin.emplace();
      if (mine.size() > 0) enter(static_cast<unsigned>(mine.begin), *pin);
    });
    barrier();
    keep_failure([&] {
      for (auto worker = static_cast<unsigned>(mine.begin); pin && worker < mine.end; ++worker) {
        if (worker != mine.begin) enter(worker, *pin);
        fn_(worker, threads >= team_.workers().size());
      }
    });
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  TeamRun run;

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
    run.pin_errors[worker] = pin.to(team_.workers()[worker].cpu);
    const auto cpu = os::current().current_cpu();
    if (!cpu.ok()) return;
    run.ran_on[worker].cpu = cpu.value;
    run.ran_on[worker].node = team_.topology().node_of_cpu(cpu.value).value_or(run.ran_on[worker].node);
  }

  const Team& team_;
  const std::function<void(unsigned, bool)>& fn_;
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;
};

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

TeamRun run_team(const Team& team, const std::function<void(unsigned worker)>& fn) {
  return run_team(team, [&fn](unsigned worker, bool) { fn(worker); });
}

TeamRun run_team(const Team& team, const std::function<void(unsigned worker, bool own_threads)>& fn) {
  Region region(team, fn);
  if (os::in_forked_child()) {
    // The OpenMP runtime's threads did not survive the fork, and a new region may wait for them for ever.
    region.run.on_calling_thread = true;
    region.play(0, 1, [] {});
  } else {
    // More threads than CPUs gain nothing, and where threads are limited OpenMP ends the process.
    const int threads =
        static_cast<int>(std::min<std::size_t>(team.workers().size(), team.usable_cpus().size()));
#pragma omp parallel num_threads(threads)
    region.play(static_cast<unsigned>(omp_get_thread_num()), static_cast<unsigned>(omp_get_num_threads()),
                [] {
#pragma omp barrier
                });
  }
  region.rethrow();
  return std::move(region.run);
}

}  // namespace nodewise
