// Computes when a wait with a time limit ends.
#pragma once

#include <chrono>

namespace nodewise::detail {

/// The moment `time` from now. It is at most a hundred years from now, so that it cannot overflow.
template <class Rep, class Period>
std::chrono::steady_clock::time_point after(const std::chrono::duration<Rep, Period>& time) {
  constexpr std::chrono::hours longest(24 * 365 * 100);
  const auto now = std::chrono::steady_clock::now();
  if (time <= time.zero()) return now;
  if (time >= longest) return now + longest;
  return now + std::chrono::ceil<std::chrono::steady_clock::duration>(time);
}

}  // namespace nodewise::detail
