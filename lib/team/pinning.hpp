// Pinning one thread: where it stands now, what it had before, and whether it stays from call to call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <nodewise/index_set.hpp>

#include "os/os.hpp"

namespace nodewise {

struct StayingThreads;

/// Where a thread stays between calls, and for which StayPinned.
struct Stay {
  const StayingThreads* threads = nullptr;  ///< Null: it does not stay.
  std::uint64_t number = 0;                 ///< Of those threads: addresses are used again.
  std::size_t thread = 0;                   ///< Its own place among them.
  unsigned cpu = 0;
};

/// The threads that one StayPinned keeps.
struct StayingThreads {
  struct Before {
    IndexSet mask;
    Stay stay;
  };

  const std::uint64_t number = ++stays;
  IndexSet caller_mask;        ///< What the calling thread had before it stayed anywhere.
  std::vector<unsigned> cpus;  ///< Where the threads stay; the first is the calling one.
  std::vector<Before> before;
  std::atomic<unsigned> count{0};
  const std::thread::id made_by = std::this_thread::get_id();

 private:
  static inline std::atomic<std::uint64_t> stays{0};
};

/// The calling thread's own.
Stay& current_stay() noexcept;

/// Whether the calling thread has a mask that was only lent to the thread that started it, which stays for
/// `callers`: a thread begins with the mask of its starter.
bool began_with_lent_mask(const StayingThreads* callers, const IndexSet& mask);

/// What the calling thread may run on: its mask, or, where it stays, the one that it had before.
os::Result<IndexSet> caller_mask();

/// Pins the calling thread and gives its mask back. A mask that cannot be read could not be given back, so
/// then nothing is pinned. Thread class: the thread that made it.
class Pin {
 public:
  /// `callers`: the StayPinned threads of the calling thread, which may have started this one.
  explicit Pin(const StayingThreads* callers) : callers_(callers) {}
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  int to(unsigned cpu);  ///< 0, or an errno.
  /// Leaves the thread where it is, as one of `threads`, with what it had before in their care.
  void leave(StayingThreads& threads, std::size_t thread) noexcept;

 private:
  const StayingThreads* callers_;
  os::Result<IndexSet> mask_;
  bool moved_ = false;
};

}  // namespace nodewise
