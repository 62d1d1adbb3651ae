// What can keep a process from starting threads.
#pragma once

#include <cstddef>
#include <string>

#include "os/shared.hpp"

namespace nodewise::os {

/// Os::try_threads.
Result<unsigned> start_and_end_threads(unsigned count, std::size_t stack_bytes);

/// Os::default_stack_bytes.
std::size_t default_stack_bytes() noexcept;

/// The limits that are set here, with their values and how much of them is used: "pids.max of
/// /sys/fs/cgroup/job = 10 (9 in use), RLIMIT_AS (ulimit -v) = 1 GiB". Empty if there is none.
std::string thread_limits();

}  // namespace nodewise::os
