// How much memory this process may still use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nodewise/export.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// What the whole machine, the allowed nodes or the control groups above this process still grant, whichever
/// is least, and where that is written.
struct Allowance {
  std::uint64_t bytes = 0;
  std::string from;  ///< "/proc/meminfo (MemAvailable + SwapFree)", "/sys/fs/cgroup/.../memory.max", ...
};

/// The allowance at this moment. A dataset that exceeds it is refused before its memory is touched, because
/// the kernel would end the process. `topology` is this machine's. Nothing where the system does not say.
/// Thread class: reentrant. Cost: some ten small files are read.
NODEWISE_PUBLIC std::optional<Allowance> allowance_now(const Topology& topology);

}  // namespace nodewise
