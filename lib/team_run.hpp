// What team members are made of: one region, pinned threads, masks given back.
#pragma once

#include <functional>
#include <vector>

#include <nodewise/team.hpp>

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

}  // namespace nodewise
