// Computes when a wait with a time limit ends.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace nodewise::detail {

/// A time to which every duration converts without overflow. (An integer of one standard duration cannot hold
/// the largest value of a coarser one.)
using Seconds = std::chrono::duration<long double>;

/// The moment `time` from now. It is at most a hundred years from now, so that it cannot overflow.
template <class Rep, class Period>
std::chrono::steady_clock::time_point after(const std::chrono::duration<Rep, Period>& time) {
  constexpr std::chrono::hours longest(24 * 365 * 100);
  const auto now = std::chrono::steady_clock::now();
  const Seconds seconds = time;
  if (!(seconds > Seconds::zero())) return now;  // not a number is no time either
  if (seconds >= longest) return now + longest;
  const long double ns = std::ceil(seconds.count() * 1e9L);
  return now + std::chrono::ceil<std::chrono::steady_clock::duration>(
                   std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

/// The time until `until`, without overflow; negative if it is over.
template <class Clock, class Duration>
Seconds left_until(const std::chrono::time_point<Clock, Duration>& until) {
  return Seconds(until.time_since_epoch()) - Seconds(Clock::now().time_since_epoch());
}

}  // namespace nodewise::detail
