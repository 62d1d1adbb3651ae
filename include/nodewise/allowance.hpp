// How much memory this process may still use.
#pragma once

#include <cstddef>
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

/// The bytes of huge pages of `page_bytes` that the control groups of this process still allow: the smallest
/// of `hugetlb.SIZE.max` and `hugetlb.SIZE.rsvd.max` (in version 1: `limit_in_bytes`, `rsvd.limit_in_bytes`)
/// of all of them. Empty if no group limits them. Thread class: any thread. Cost: reads some small files.
NODEWISE_PUBLIC std::optional<Allowance> huge_page_allowance_now(std::size_t page_bytes);

/// The limits on the memory that this process maps, with their values and how much of them is used, for an
/// error or a report: "RLIMIT_AS (ulimit -v) = 1 GiB (200 MiB in use)". The others are `ulimit -d`,
/// vm.overcommit_memory = 2, and vm.max_map_count where it is reached. Empty if none is set. Thread class:
/// any thread. Cost: reads some small files.
NODEWISE_PUBLIC std::string memory_limits();

}  // namespace nodewise
