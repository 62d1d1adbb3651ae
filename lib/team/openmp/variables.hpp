// OpenMP's variables, read as OpenMP reads them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace nodewise {

/// The stack that a variable gives OpenMP's threads, and its setting for messages: "OMP_STACKSIZE=16k". Empty
/// if no variable sets it, or if OpenMP ignores its value.
struct StackSetting {
  std::size_t bytes = 0;
  std::string text;
};
std::optional<StackSetting> stack_setting();

/// The first number of OMP_NUM_THREADS. Empty if it is not set, or if OpenMP ignores its value.
std::optional<unsigned> threads_setting();

}  // namespace nodewise
