// Locks of bytes that other processes hold only for a moment.
#pragma once

#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "os/os.hpp"

namespace nodewise::os {

/// Locks a byte exclusively. Tries for a tenth of a second, and then returns EAGAIN if another opening of the
/// file still holds the lock.
inline int lock_patiently(int descriptor, std::uint64_t offset) {
  constexpr int tries = 100;
  int error = EAGAIN;
  for (int i = 0; i < tries && error == EAGAIN; ++i) {
    if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    error = current().lock_byte(descriptor, offset, Lock::exclusive, false);
  }
  return error;
}

/// Takes a shared lock. Waits until `until`, and then returns ETIMEDOUT; without a limit if it is unset. If
/// `waiting` is set, it is called about every millisecond during the wait, which what it throws ends. With
/// neither, the kernel wakes this thread as soon as the lock is free.
inline int lock_shared_until(int descriptor, std::uint64_t offset,
                             const std::optional<std::chrono::steady_clock::time_point>& until,
                             const std::function<void()>& waiting = {}) {
  if (!until && !waiting) return current().lock_byte(descriptor, offset, Lock::shared, true);
  while (true) {
    const int error = current().lock_byte(descriptor, offset, Lock::shared, false);
    if (error != EAGAIN) return error;
    if (until && std::chrono::steady_clock::now() >= *until) return ETIMEDOUT;
    if (waiting) waiting();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace nodewise::os
