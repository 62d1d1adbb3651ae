// What team members are made of: a region of pinned threads, whose masks are given back.
#pragma once

#include <functional>
#include <vector>

#include <nodewise/team.hpp>

namespace nodewise {

/// What a region really was. It is recorded only on request, because looking costs time in every thread.
struct TeamRun {
  std::vector<Worker> ran_on;      ///< By worker number: node and CPU as the kernel said, while it ran.
  std::vector<int> pin_errors;     ///< By worker number: errno of pinning, or 0.
  bool on_calling_thread = false;  ///< No region was formed: forked child.
};

/// What a worker does: its number, and whether every worker has a thread of its own.
using TeamWork = std::function<void(unsigned worker, bool own_threads)>;

/// Calls fn once for each worker of `team`, on a thread pinned to that worker's CPU. Where OpenMP gives fewer
/// threads than there are workers, a thread plays several, one after the other. Masks are given back. What
/// `fn` throws is thrown again after all have finished. No fn starts before every thread exists and is
/// pinned; where all stay (StayPinned) none waits for the others.
void run_team(const Team& team, const TeamWork& fn);

/// The same, and what it was.
TeamRun recorded_run(const Team& team, const TeamWork& fn);

/// The number of threads of a region of the team: at most one for each CPU.
int thread_count(const Team& team);

}  // namespace nodewise
