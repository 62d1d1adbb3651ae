// A mutex in memory that processes share, which the kernel hands on when its owner dies.
#pragma once

#include <pthread.h>

#include <chrono>
#include <string_view>

namespace nodewise::os {

/// Lies where make() was called, and never moves. The kernel knows owners by their thread's number: all
/// processes that use one mutex must be in one pid namespace. Locking calls return 0, or an errno: EOWNERDEAD
/// (locked, but its last owner died), EDEADLK (the caller has it already), EBUSY, ETIMEDOUT. Thread class:
/// any thread.
class RobustMutex {
 public:
  /// Initialises the mutex, whatever the memory held before. Precondition, which cannot be checked: no thread
  /// uses it. Returns an errno.
  int make() noexcept;
  int lock() noexcept;
  int try_lock() noexcept;
  int lock_until(std::chrono::steady_clock::time_point until) noexcept;
  /// After EOWNERDEAD: makes it an ordinary mutex again once it is unlocked. Without this call no thread ever
  /// gets it again.
  void make_consistent() noexcept;
  /// Nothing happens if the calling thread does not have it.
  void unlock() noexcept;

 private:
  pthread_mutex_t mutex_;
};

/// Whose mutexes these are: two C libraries do not understand each other's.
std::string_view mutex_library() noexcept;

}  // namespace nodewise::os
