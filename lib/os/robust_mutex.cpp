#include "os/robust_mutex.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <thread>

// The thread sanitizer of older compilers does not notice that a timed lock found its owner dead, and then
// reports the unlock as an error. There, this tries the lock repeatedly instead.
#if defined(__SANITIZE_THREAD__)
#define NODEWISE_TRIES
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NODEWISE_TRIES
#endif
#endif

namespace nodewise::os {
namespace {

[[maybe_unused]] timespec to_timespec(std::chrono::nanoseconds time) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t count = time.count() < 0 ? 0 : time.count();
  return {static_cast<time_t>(count / second), static_cast<long>(count % second)};
}

}  // namespace

int RobustMutex::make() noexcept {
  pthread_mutexattr_t attributes;
  if (const int error = ::pthread_mutexattr_init(&attributes)) return error;
  int error = ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (error == 0) error = ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (error == 0) error = ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  if (error == 0) error = ::pthread_mutex_init(&mutex_, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  return error;
}

int RobustMutex::lock() noexcept {
  return ::pthread_mutex_lock(&mutex_);
}

int RobustMutex::try_lock() noexcept {
  return ::pthread_mutex_trylock(&mutex_);
}

int RobustMutex::lock_until(std::chrono::steady_clock::time_point until) noexcept {
#if defined(NODEWISE_TRIES)
  int outcome = try_lock();
  for (; outcome == EBUSY && std::chrono::steady_clock::now() < until; outcome = try_lock())
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return outcome;
#elif defined(__GLIBC__) && __GLIBC_PREREQ(2, 30)
  const timespec at = to_timespec(until.time_since_epoch());
  return ::pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &at);
#else
  const auto now = std::chrono::steady_clock::now();
  const auto left =
      std::min<std::chrono::nanoseconds>(std::max(until, now) - now, std::chrono::hours(24 * 365 * 100));
  const timespec at = to_timespec((std::chrono::system_clock::now() + left).time_since_epoch());
  return ::pthread_mutex_timedlock(&mutex_, &at);
#endif
}

void RobustMutex::make_consistent() noexcept {
  ::pthread_mutex_consistent(&mutex_);
}

void RobustMutex::unlock() noexcept {
  ::pthread_mutex_unlock(&mutex_);
}

std::string_view mutex_library() noexcept {
#ifdef __GLIBC__
  return "glibc";
#else
  return "other";
#endif
}

}  // namespace nodewise::os
