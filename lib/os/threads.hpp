// Starts threads to see whether the system allows them, and tells how large their stacks are.
#pragma once

#include <cstddef>

#include "os/shared.hpp"

namespace nodewise::os {

/// Os::try_threads.
Result<unsigned> start_and_end_threads(unsigned count, std::size_t stack_bytes);

/// Os::default_stack_bytes.
std::size_t default_stack_bytes() noexcept;

}  // namespace nodewise::os
