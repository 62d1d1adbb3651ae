// Keeps a team's threads pinned between its calls.
#pragma once

#include <memory>

#include <nodewise/export.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

struct StayingThreads;  // private to the library: what the threads had before

/// Keeps the threads of a team's calls pinned from one call to the next, for loops of many short calls. While
/// this object lives, calls that its thread makes of this team, or of another team with the same CPUs, pin
/// nothing. Between calls that thread stays on the first worker's CPU, and so does whatever it starts: a
/// std::thread, or the threads of a wider OpenMP region, begin there and may stay there for good. Start those
/// before, or give them masks of their own. A Team that the same thread makes between the calls has the CPUs
/// that it would have had before. Mask changes that others make to these threads are not detected.
/// Precondition: destroy it on the thread that created it, in the same parallel region, in reverse order of
/// creation (as local variables are); of which a check sees the thread alone.
/// Thread class: one thread. Cost: as a call of the team, at both ends.
class NODEWISE_PUBLIC StayPinned {
 public:
  [[nodiscard]] explicit StayPinned(const Team& team);
  ~StayPinned();
  StayPinned(const StayPinned&) = delete;
  StayPinned& operator=(const StayPinned&) = delete;

  /// How many threads stay: one for each worker. None in a forked child or where OpenMP gives fewer threads
  /// than there are workers, and not those that may not be pinned or stay already.
  unsigned threads() const noexcept;

 private:
  std::unique_ptr<StayingThreads> threads_;
};

}  // namespace nodewise
