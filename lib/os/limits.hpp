// The limits that can keep this process from getting threads, memory or huge pages. For errors and for the
// doctor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace nodewise::os {

/// The limits on threads that are set here, with their values and how much of them is used: "pids.max of
/// /sys/fs/cgroup/job = 10 (9 in use), RLIMIT_AS (ulimit -v) = 1 GiB (200 MiB in use)". Empty if there is
/// none.
std::string thread_limits();

/// The same for memory that a process maps: address space, data size, overcommit, the number of mappings.
std::string memory_limits();

/// What the control groups of this process leave of huge pages of one size.
struct HugePageRoom {
  std::uint64_t bytes = 0;  ///< That may still be used.
  std::string limit;        ///< "/sys/fs/cgroup/job/hugetlb.2MB.max"
  std::uint64_t limit_bytes = 0;
  std::uint64_t used_bytes = 0;
};

/// The smallest room of these groups and all their ancestors. Both limits of a group count: the one on pages
/// that are in use, and the one on pages that are reserved (rsvd), which mapping them does. Empty if no group
/// limits them.
std::optional<HugePageRoom> huge_page_room(std::size_t page_bytes);

}  // namespace nodewise::os
