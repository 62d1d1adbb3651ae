// What team members are made of: one region, pinned threads, masks given back.
#pragma once

#include <functional>
#include <vector>

#include <nodewise/team.hpp>

#include "base/checked.hpp"

namespace nodewise {

/// What a region really was.
struct TeamRun {
  std::vector<Worker> ran_on;      ///< By worker number: node and CPU as the kernel said, while it ran.
  std::vector<int> pin_errors;     ///< By worker number: errno of pinning, or 0.
  bool on_calling_thread = false;  ///< No region was formed: forked child.
};

/// Calls fn(worker number) once for each worker of `team`, on a thread pinned to that worker's CPU. Where
/// OpenMP gives fewer threads than there are workers, a thread plays several, one after the other. Masks
/// are given back. What `fn` throws is thrown again after all have finished. No fn starts before every
/// thread exists and is pinned.
TeamRun run_team(const Team& team, const std::function<void(unsigned worker)>& fn);

/// The same, and fn is told whether every worker has a thread of its own.
TeamRun run_team(const Team& team, const std::function<void(unsigned worker, bool own_threads)>& fn);

/// Each worker's rows: its part of every shard that it reads. Divided by rows, not by batches, so that all
/// of a node's workers have some even where a shard has fewer batches than that. For filling the dataset.
std::vector<std::vector<base::Range>> rows_by_worker(const Plan& plan, const Team& team);

}  // namespace nodewise
