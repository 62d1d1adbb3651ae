// Runs the workers of a team in one OpenMP region of pinned threads, and restores the masks of the threads.
#pragma once

#include <functional>
#include <vector>

#include <nodewise/team.hpp>

namespace nodewise {

/// How a region really ran. It is recorded only on request, because each thread needs time for it.
struct TeamRun {
  std::vector<Worker> ran_on;      ///< By worker number: the node and CPU that the kernel reported.
  std::vector<int> pin_errors;     ///< By worker number: the errno of pinning, or 0.
  bool on_calling_thread = false;  ///< In a forked child, no region is formed.
};

/// The work of a worker: it gets its number, and whether every worker has a thread of its own.
using TeamWork = std::function<void(unsigned worker, bool own_threads)>;

/// Calls `fn` once for each worker of `team`, on a thread that is pinned to the worker's CPU. If OpenMP gives
/// fewer threads than there are workers, a thread runs several workers in turn. Masks are restored
/// afterwards. When all have finished, the first exception of `fn` is rethrown. No call of `fn` begins before
/// all threads exist and are pinned; if all threads stay pinned (StayPinned), they do not wait for one
/// another.
void run_team(const Team& team, const TeamWork& fn);

/// The same; returns how the region ran.
TeamRun recorded_run(const Team& team, const TeamWork& fn);

/// The number of threads in a region of the team: at most one for each CPU.
unsigned thread_count(const Team& team);

}  // namespace nodewise
