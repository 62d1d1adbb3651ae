// A mutex in memory that processes share. If its owner dies, the kernel gives it to the next caller.
#pragma once

#include <pthread.h>

#include <chrono>
#include <string_view>

namespace nodewise::os {

/// It must stay at the address where make() was called. The kernel identifies the owner by its thread number,
/// so all processes that use the mutex must be in one pid namespace. Locking calls return 0 or an errno:
/// EOWNERDEAD (it is locked, but its last owner died), EDEADLK (the caller holds it already), EBUSY,
/// ETIMEDOUT. Thread class: any thread.
class RobustMutex {
 public:
  /// Initialises the mutex, whatever the memory held before. Precondition, which cannot be checked: no thread
  /// uses it. Returns an errno.
  int make() noexcept;
  int lock() noexcept;
  int try_lock() noexcept;
  int lock_until(std::chrono::steady_clock::time_point until) noexcept;
  /// Call this after EOWNERDEAD, so that the mutex is usable again after unlock(). Without it, no thread can
  /// ever lock the mutex again.
  void make_consistent() noexcept;
  /// Does nothing if the calling thread does not hold the mutex.
  void unlock() noexcept;

 private:
  pthread_mutex_t mutex_;
};

/// The C library of these mutexes. Mutexes of one C library do not work with another one.
std::string_view mutex_library() noexcept;

}  // namespace nodewise::os
