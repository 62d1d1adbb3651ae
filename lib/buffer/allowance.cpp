#include <nodewise/allowance.hpp>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "buffer/free_memory.hpp"
#include "buffer/system_allowance.hpp"
#include "os/cgroup.hpp"
#include "os/limits.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

struct GroupFiles {
  const char* controller;
  const char* limit;
  const char* used;
  // Lines of memory.stat: memory that the kernel reclaims before it kills a process.
  std::array<const char*, 3> reclaimable;
};
constexpr GroupFiles hierarchies[] = {
    {"memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"\ntotal_inactive_file ", "\ntotal_active_file ", "\nslab_reclaimable "}},
    {"", "memory.max", "memory.current", {"\ninactive_file ", "\nactive_file ", "\nslab_reclaimable "}}};

std::uint64_t reclaimable_in(const std::string& folder, const GroupFiles& files) {
  const auto stat = base::text("\n", os::current().read_text(folder + "/memory.stat").value);
  std::uint64_t bytes = 0;
  for (const char* key : files.reclaimable) bytes += os::meminfo_bytes(stat, key) / 1024;  // in bytes, not kB
  return bytes;
}

void narrow(std::optional<Allowance>& allowance, std::uint64_t bytes, const std::string& from) {
  if (!allowance || bytes < allowance->bytes) allowance = Allowance{bytes, from};
}

// A group is limited by its own limit, and by those of all its ancestors.
void narrow_by_groups(std::optional<Allowance>& allowance, const GroupFiles& files) {
  for (const std::string& folder : os::group_folders(files.controller)) {
    const auto limit = os::number_in(folder + "/" + files.limit);
    const auto used = os::number_in(folder + "/" + files.used);
    if (!limit || !used) continue;
    // Reclaimable memory would only add to this result. It is not read, because reading it is a large part of
    // the cost here.
    if (allowance && *limit > *used && *limit - *used >= allowance->bytes) continue;
    const auto in_use = *used - std::min(*used, reclaimable_in(folder, files));
    narrow(allowance, *limit - std::min(*limit, in_use), folder + "/" + files.limit);
  }
}

// Memory on nodes that the cpuset does not allow does not count.
void narrow_by_nodes(std::optional<Allowance>& allowance, const Topology& topology) {
  std::uint64_t sum = 0;
  bool all_allowed = true;
  for (const Node& node : topology.nodes()) {
    if (node.memory_bytes == 0) continue;
    all_allowed = all_allowed && node.allowed;
    const auto free = node.allowed ? free_bytes_now(node) : std::optional<std::uint64_t>(0);
    if (!free) return;  // the system does not state it
    sum += *free;
  }
  if (all_allowed) return;
  sum += os::meminfo_bytes(os::current().read_text("/proc/meminfo").value, "SwapFree:");
  narrow(allowance, sum, "the free memory of the nodes that the cpuset allows");
}

}  // namespace

std::optional<Allowance> system_allowance_now() {
  std::optional<Allowance> allowance;
  const auto meminfo = os::current().read_text("/proc/meminfo");
  if (meminfo.ok() && meminfo.value.find("MemAvailable:") != std::string::npos)
    narrow(allowance,
           os::meminfo_bytes(meminfo.value, "MemAvailable:") + os::meminfo_bytes(meminfo.value, "SwapFree:"),
           "/proc/meminfo (MemAvailable + SwapFree)");
  for (const GroupFiles& files : hierarchies) narrow_by_groups(allowance, files);
  return allowance;
}

std::optional<Allowance> allowance_now(const Topology& topology) {
  std::optional<Allowance> allowance = system_allowance_now();
  narrow_by_nodes(allowance, topology);
  return allowance;
}

std::optional<Allowance> huge_page_allowance_now(std::size_t page_bytes) {
  const auto room = os::huge_page_room(page_bytes);
  return room ? std::optional(Allowance{room->bytes, room->limit}) : std::nullopt;
}

std::string memory_limits() {
  return os::memory_limits();
}

}  // namespace nodewise
