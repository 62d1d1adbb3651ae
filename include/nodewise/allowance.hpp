// How much memory this process may still use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nodewise/export.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// The memory that this process may still use. It is the smallest of the amounts that the whole machine, the
/// nodes of its cpuset, and its control groups allow.
struct Allowance {
  std::uint64_t bytes = 0;
  /// Where this is stated: "/proc/meminfo (MemAvailable + SwapFree)", "/sys/fs/cgroup/.../memory.max", ...
  std::string from;
};

/// The allowance at this moment; empty if the system does not state it. A dataset that exceeds the allowance
/// is refused before its memory is touched, because the kernel would kill the process. Precondition:
/// `topology` describes this machine. Thread class: any thread. Cost: reads about ten small files.
NODEWISE_PUBLIC std::optional<Allowance> allowance_now(const Topology& topology);

}  // namespace nodewise
