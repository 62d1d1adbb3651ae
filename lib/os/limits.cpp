#include "os/limits.hpp"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "base/text.hpp"
#include "os/cgroup.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise::os {
namespace {

void add(std::string& list, const std::string& limit) {
  list += list.empty() ? limit : ", " + limit;
}

std::string in_use(std::uint64_t bytes) {
  return base::text(" (", base::human_bytes(bytes), " in use)");
}

// Lines of /proc/self/limits are "Max address space  SOFT  HARD  bytes".
std::optional<std::uint64_t> soft_limit(const std::string& limits, std::string_view row) {
  constexpr std::size_t longest_numbers = 40;
  const auto at = limits.find(row);
  if (at == limits.npos) return std::nullopt;
  std::istringstream rest(limits.substr(at + row.size(), longest_numbers));
  std::uint64_t soft = 0;
  return rest >> soft ? std::optional(soft) : std::nullopt;
}

// Threads need memory too, for their stacks.
void add_memory(std::string& list, const std::string& limits) {
  const std::string status = current().read_text("/proc/self/status").value;
  if (const auto bytes = soft_limit(limits, "Max address space"))
    add(list, base::text("RLIMIT_AS (ulimit -v) = ", base::human_bytes(*bytes),
                         in_use(meminfo_bytes(status, "VmSize:"))));
  if (const auto bytes = soft_limit(limits, "Max data size"))
    add(list, base::text("RLIMIT_DATA (ulimit -d) = ", base::human_bytes(*bytes),
                         in_use(meminfo_bytes(status, "VmData:"))));
  constexpr std::uint64_t never = 2;
  if (number_in("/proc/sys/vm/overcommit_memory") != never) return;
  const auto meminfo = current().read_text("/proc/meminfo");
  add(list, base::text("vm.overcommit_memory = 2 (",
                       base::human_bytes(meminfo_bytes(meminfo.value, "Committed_AS:")), " of ",
                       base::human_bytes(meminfo_bytes(meminfo.value, "CommitLimit:")), " in use)"));
}

// Only where it is reached, because no other error says so, and few programs come near it.
void add_mappings(std::string& list) {
  constexpr std::uint64_t near = 16;
  const auto most = number_in("/proc/sys/vm/max_map_count");
  if (!most) return;
  const std::string maps = current().read_text("/proc/self/maps").value;
  const auto mappings = static_cast<std::uint64_t>(std::count(maps.begin(), maps.end(), '\n'));
  if (mappings + near >= *most)
    add(list, base::text("vm.max_map_count = ", *most, " (", mappings, " in use)"));
}

void add_groups(std::string& list) {
  for (const char* controller : {"", "pids"})
    for (const std::string& folder : group_folders(controller)) {
      const auto most = number_in(folder + "/pids.max");
      const auto used = number_in(folder + "/pids.current");
      if (most)
        add(list, base::text("pids.max of ", folder, " = ", *most, " (", used.value_or(0), " in use)"));
    }
}

// As the kernel names the files of a page size: "2MB", "1GB", "64KB".
std::string size_name(std::size_t page_bytes) {
  constexpr int kib = 10, mib = 20, gib = 30;
  if (page_bytes >> gib != 0) return base::text(page_bytes >> gib, "GB");
  return page_bytes >> mib != 0 ? base::text(page_bytes >> mib, "MB") : base::text(page_bytes >> kib, "KB");
}

struct GroupFiles {
  const char* controller;  // as group_folders() takes it
  const char* limit;
  const char* used;
};
constexpr GroupFiles huge_page_files[] = {{"", ".max", ".current"},
                                          {"", ".rsvd.max", ".rsvd.current"},
                                          {"hugetlb", ".limit_in_bytes", ".usage_in_bytes"},
                                          {"hugetlb", ".rsvd.limit_in_bytes", ".rsvd.usage_in_bytes"}};

// Version 1 writes a huge number where there is no limit.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 62;

}  // namespace

std::string thread_limits() {
  std::string list;
  add_groups(list);
  const auto limits = current().read_text("/proc/self/limits");
  if (const auto most = soft_limit(limits.value, "Max processes"))
    add(list, base::text("RLIMIT_NPROC (ulimit -u) = ", *most));
  add_memory(list, limits.value);
  if (const auto most = number_in("/proc/sys/kernel/threads-max"))
    add(list, base::text("kernel.threads-max = ", *most));
  return list;
}

std::string memory_limits() {
  std::string list;
  add_memory(list, current().read_text("/proc/self/limits").value);
  add_mappings(list);
  return list;
}

std::optional<HugePageRoom> huge_page_room(std::size_t page_bytes) {
  std::optional<HugePageRoom> smallest;
  const std::string files = "/hugetlb." + size_name(page_bytes);
  for (const auto& [controller, limit, used] : huge_page_files)
    for (const std::string& folder : group_folders(controller)) {
      const auto limit_bytes = number_in(folder + files + limit);
      const auto used_bytes = number_in(folder + files + used);
      if (!limit_bytes || !used_bytes || *limit_bytes >= no_limit) continue;
      const auto bytes = *limit_bytes - std::min(*limit_bytes, *used_bytes);
      if (!smallest || bytes < smallest->bytes)
        smallest = HugePageRoom{bytes, folder + files + limit, *limit_bytes, *used_bytes};
    }
  return smallest;
}

}  // namespace nodewise::os
