// Pins one thread: where it is now, which CPU mask it had before, and whether it stays between calls.
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

/// The mask of a thread, saved in order to be restored.
struct SavedMask {
  IndexSet cpus;
  /// The thread may use all CPUs of its cpuset. Restoring sets no mask then, because a mask would keep the
  /// thread from CPUs that the cpuset gets later.
  bool unlimited = false;
};

/// Saves the mask of the calling thread. Whether the thread is limited can only be seen by lifting the limit,
/// so the caller must set a mask or restore this one next. `known`: the mask, if it has been read.
os::Result<SavedMask> lift_mask(const os::Result<IndexSet>* known = nullptr);

/// Restores a mask that the calling thread had before.
void restore_mask(const SavedMask& mask) noexcept;

/// Where a thread stays between calls, and for which StayPinned object.
struct Stay {
  const StayingThreads* threads = nullptr;  ///< null: it does not stay
  std::uint64_t number = 0;                 ///< of `threads`, because addresses are reused
  std::size_t thread = 0;                   ///< the place of this thread among them
  unsigned cpu = 0;
};

/// The threads that one StayPinned keeps.
struct StayingThreads {
  struct Before {
    SavedMask mask;
    Stay stay;
  };

  const std::uint64_t number = ++stays;
  SavedMask caller_mask;       ///< The mask of the calling thread before it stayed anywhere.
  std::vector<unsigned> cpus;  ///< Where the threads stay; the first one is the calling thread's.
  std::vector<Before> before;
  std::atomic<unsigned> count{0};
  const std::thread::id made_by = std::this_thread::get_id();

 private:
  static inline std::atomic<std::uint64_t> stays{0};
};

/// That of the calling thread.
Stay& current_stay() noexcept;

/// Whether the calling thread has a mask that it inherited from the thread that started it, while that thread
/// stayed for `callers`. A new thread begins with the mask of the thread that starts it.
bool began_with_lent_mask(const StayingThreads* callers, const IndexSet& mask);

/// The CPUs on which the calling thread may run: its mask, or, if it stays, the mask that it had before.
os::Result<IndexSet> caller_mask();

/// Saves the mask of the calling thread, and restores it when it is destroyed, whatever has changed it.
/// Thread class: one thread.
class KeptMask {
 public:
  KeptMask() : mask_(lift_mask()) {}
  ~KeptMask() {
    if (mask_.ok()) restore_mask(mask_.value);
  }
  KeptMask(const KeptMask&) = delete;
  KeptMask& operator=(const KeptMask&) = delete;

  /// 0, or the errno of reading the mask. Then it cannot be restored, and must not be changed.
  int error() const noexcept { return mask_.error; }

 private:
  os::Result<SavedMask> mask_;
};

/// Pins the calling thread, and restores its mask. If the mask cannot be read, it could not be restored, so
/// nothing is pinned. Thread class: one thread.
class Pin {
 public:
  /// `callers`: the StayPinned threads of the calling thread, which may have started this thread. `before`:
  /// the mask of this thread before the region, if it was read. A runtime may have bound the thread since.
  Pin(const StayingThreads* callers, const os::Result<IndexSet>* before) noexcept
      : callers_(callers), before_(before) {}
  ~Pin();
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  int to(unsigned cpu);  ///< Returns 0, or an errno.
  /// Leaves the thread pinned, as one of `threads`, which remember what it had before.
  void leave(StayingThreads& threads, std::size_t thread) noexcept;

 private:
  const StayingThreads* callers_;
  const os::Result<IndexSet>* before_;
  SavedMask mask_;
  bool lifted_ = false;  // the mask of the thread is to be restored
};

}  // namespace nodewise
