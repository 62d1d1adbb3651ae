// Times in seconds, as the C interface passes them.
#pragma once

#include <chrono>
#include <cmath>
#include <optional>

#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise::c {

/// A negative time means: without a limit. Throws InvalidArgument if `seconds` is not a number; `what` names
/// the argument.
inline std::optional<std::chrono::duration<double>> limit_of(double seconds, const char* call,
                                                             const char* what) {
  if (std::isnan(seconds))
    throw InvalidArgument(base::text(call, ": `", what, "` is not a number; it is a time in seconds"));
  if (seconds < 0) return std::nullopt;
  return std::chrono::duration<double>(seconds);
}

}  // namespace nodewise::c
