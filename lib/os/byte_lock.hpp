// Locks of bytes that other processes hold only for a moment.
#pragma once

#include <cerrno>
#include <chrono>
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

}  // namespace nodewise::os
