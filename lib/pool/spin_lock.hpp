// A lock for a few instructions.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

namespace nodewise {

/// A thread that waits longer than the holder needs sleeps. If it only yielded, a thread under a real-time
/// policy would wait for ever for one of lower priority on the same CPU, which would never run. Thread class:
/// any thread.
class SpinLock {
 public:
  void lock() noexcept {
    constexpr unsigned polls = 64;    // before it yields
    constexpr unsigned patience = 8;  // yields before it sleeps
    constexpr std::chrono::microseconds sleep(20);
    for (unsigned tries = 0; held_.exchange(true, std::memory_order_acquire);)
      while (held_.load(std::memory_order_relaxed)) {
        if (++tries % polls != 0) continue;
        if (tries < polls * patience)
          std::this_thread::yield();
        else
          std::this_thread::sleep_for(sleep);
      }
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_{false};
};

}  // namespace nodewise
