#include "buffer/preflight.hpp"

#include <algorithm>
#include <array>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/cgroup.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

struct GroupFiles {
  const char* controller;
  const char* limit;
  const char* used;
  std::array<const char*, 3> reclaimable;  // lines of memory.stat: what the kernel takes back before it kills
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
  for (const char* key : files.reclaimable) bytes += os::meminfo_bytes(stat, key) / 1024;  // here in bytes
  return bytes;
}

os::Result<std::string> meminfo_of(const Node& node) {
  return os::current().read_text(base::text("/sys/devices/system/node/node", node.os_index, "/meminfo"));
}

void narrow(std::optional<Allowance>& allowance, std::uint64_t bytes, const std::string& from) {
  if (!allowance || bytes < allowance->bytes) allowance = Allowance{bytes, from};
}

// A group is bound by its own limit and by those of all its ancestors.
void narrow_by_groups(std::optional<Allowance>& allowance, const GroupFiles& files) {
  for (const std::string& folder : os::group_folders(files.controller)) {
    const auto limit = os::number_in(folder + "/" + files.limit);
    const auto used = os::number_in(folder + "/" + files.used);
    if (!limit || !used) continue;
    // What could be reclaimed would only add to this; reading it is a good part of all the reading here.
    if (allowance && *limit > *used && *limit - *used >= allowance->bytes) continue;
    const auto in_use = *used - std::min(*used, reclaimable_in(folder, files));
    narrow(allowance, *limit - std::min(*limit, in_use), folder + "/" + files.limit);
  }
}

// Memory on nodes that the cpuset does not allow is no help.
void narrow_by_nodes(std::optional<Allowance>& allowance, const Topology& topology, std::uint64_t swap) {
  std::uint64_t sum = swap;
  bool all_allowed = true;
  for (const Node& node : topology.nodes()) {
    if (node.memory_bytes == 0) continue;
    all_allowed = all_allowed && node.allowed;
    const auto free = node.allowed ? free_bytes_now(node) : std::optional<std::uint64_t>(0);
    if (!free) return;  // the system does not say
    sum += *free;
  }
  if (!all_allowed) narrow(allowance, sum, "the free memory of the nodes that the cpuset allows");
}

std::string shortage(const Shard& shard, std::uint64_t free, bool of_pool) {
  return base::text("node ", shard.os_index, " is to hold ", base::human_bytes(shard.pages.bytes()), " (",
                    shard.pages.bytes(), " bytes) and has ", base::human_bytes(free), " (", free,
                    of_pool ? " bytes) of huge pages free; enlarge its pool, or ask for transparent pages"
                            : " bytes) free; use more nodes, smaller weights for this one, or another time");
}

// Pools were set aside before: what else is free does not matter to them, nor do they count against groups.
void check_allowance(const Plan& plan, const Topology& topology) {
  const auto allowance = allowance_now(topology);
  if (!allowance || allowance->bytes >= plan.mapped_bytes()) return;
  throw PlacementError(base::text("Buffer: the dataset needs ", base::human_bytes(plan.mapped_bytes()), " (",
                                  plan.mapped_bytes(), " bytes), and ", allowance->from, " leaves ",
                                  base::human_bytes(allowance->bytes), " (", allowance->bytes,
                                  " bytes); touching more would end the process"));
}

}  // namespace

std::optional<std::uint64_t> free_bytes_now(const Node& node) {
  const auto meminfo = meminfo_of(node);
  return meminfo.ok() ? std::optional(os::free_bytes(meminfo.value)) : std::nullopt;
}

std::optional<std::uint64_t> unused_bytes_now(const Node& node) {
  const auto meminfo = meminfo_of(node);
  if (!meminfo.ok()) return std::nullopt;
  // The kernel turns to other nodes before the last free page is gone: at its low watermark, which is below
  // this.
  const auto watermark =
      2048 * os::number_in("/proc/sys/vm/min_free_kbytes").value_or(0) + node.memory_bytes / 50;
  const auto free = os::meminfo_bytes(meminfo.value, "MemFree:");
  return free - std::min(free, watermark);
}

std::optional<Allowance> allowance_now(const Topology& topology) {
  std::optional<Allowance> allowance;
  const auto meminfo = os::current().read_text("/proc/meminfo");
  if (meminfo.ok() && meminfo.value.find("MemAvailable:") != std::string::npos)
    narrow(allowance,
           os::meminfo_bytes(meminfo.value, "MemAvailable:") + os::meminfo_bytes(meminfo.value, "SwapFree:"),
           "/proc/meminfo (MemAvailable + SwapFree)");
  for (const GroupFiles& files : hierarchies) narrow_by_groups(allowance, files);
  narrow_by_nodes(allowance, topology, os::meminfo_bytes(meminfo.value, "SwapFree:"));
  return allowance;
}

std::optional<std::uint64_t> free_pool_bytes_now(const Node& node, std::size_t page_bytes) {
  const auto pages =
      os::number_in(base::text("/sys/devices/system/node/node", node.os_index, "/hugepages/hugepages-",
                               page_bytes / 1024, "kB/free_hugepages"));
  return pages ? std::optional(*pages * page_bytes) : std::nullopt;
}

std::vector<Degradation> preflight(const Plan& plan, const Topology& topology, PageKind kind) {
  const bool of_pool = kind == PageKind::hugetlb;
  if (!of_pool) check_allowance(plan, topology);
  std::vector<Degradation> found;
  for (const Shard& shard : plan.shards()) {
    const Node& node = topology.node(shard.node);
    const auto free = of_pool ? free_pool_bytes_now(node, plan.page_bytes()) : free_bytes_now(node);
    if (!free || shard.pages.bytes() <= *free) continue;
    const std::string message = shortage(shard, *free, of_pool);
    if (plan.binding() == Binding::required)
      throw PlacementError("Buffer: the binding is required, but " + message);
    found.push_back({of_pool ? DegradationKind::huge_pages_short : DegradationKind::node_full,
                     message + "; what does not fit will lie elsewhere, or on smaller pages", 0});
  }
  return found;
}

std::optional<Degradation> unseen_nodes(const Topology& topology) {
  IndexSet unseen = os::nodes_granted();
  for (const Node& node : topology.nodes()) unseen.erase(node.os_index);
  if (unseen.empty()) return std::nullopt;
  return Degradation{DegradationKind::nodes_unseen,
                     base::text("the kernel grants memory on node(s) ", unseen.to_string(),
                                ", which the topology does not show (is /sys mounted?); nothing is placed "
                                "there, and readers on such a node count as near"),
                     0};
}

}  // namespace nodewise
