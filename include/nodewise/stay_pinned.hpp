// Keeps the threads of a team (team.hpp) pinned between its calls.
#pragma once

#include <memory>

#include <nodewise/export.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

struct StayingThreads;  // private to the library

/// Keeps threads pinned from one call of a team to the next, for loops of many short calls. While this object
/// exists, the thread that made it can call the team, or another team with the same CPUs, without pinning
/// anything.
///
/// Between calls, this thread stays on the CPU of the first worker. Whatever it starts begins there, and may
/// stay there: a std::thread, or the threads of a wider OpenMP region. Start those before, or give them CPU
/// masks of their own. A Team that this thread makes between calls has the CPUs that it would have without
/// this object. The library does not notice if others change the masks of these threads.
///
/// Preconditions: destroy it on the thread that created it, in the same parallel region, and in reverse order
/// of creation, as local variables are. Of these preconditions, only the thread is checked. Thread class: one
/// thread. Cost: creating and destroying it each cost as much as a call of the team.
class NODEWISE_PUBLIC StayPinned {
 public:
  [[nodiscard]] explicit StayPinned(const Team& team);
  ~StayPinned();
  StayPinned(const StayPinned&) = delete;
  StayPinned& operator=(const StayPinned&) = delete;

  /// The number of threads that stay pinned. Normally there is one for each worker; threads that may not be
  /// pinned, or that stay pinned already, are not counted. The result is 0 in a forked child, or if OpenMP
  /// gives fewer threads than there are workers.
  unsigned threads() const noexcept;

 private:
  std::unique_ptr<StayingThreads> threads_;
};

}  // namespace nodewise
