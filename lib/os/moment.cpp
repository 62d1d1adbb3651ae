#include "os/moment.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <string_view>

#include "base/text.hpp"
#include "os/cgroup.hpp"
#include "os/os.hpp"

namespace nodewise::os {
namespace {

std::optional<std::uint64_t> number_at(std::string_view text) {
  const auto start = std::min(text.find_first_not_of(" \t"), text.size());
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data() + start, text.data() + text.size(), value);
  return parsed.ec == std::errc() ? std::optional(value) : std::nullopt;
}

// If there is only one node and it has no folder (kernels without NUMA), the files of the whole machine
// describe it.
void read_memory(Node& node, const std::string& folder, bool alone) {
  auto meminfo = current().read_text(folder + "/meminfo");
  if (!meminfo.ok() && alone) meminfo = current().read_text("/proc/meminfo");
  if (!meminfo.ok()) return;
  if (alone && node.memory_bytes == 0) node.memory_bytes = meminfo_bytes(meminfo.value, "MemTotal:");
  node.memory_unknown = node.memory_unknown && node.memory_bytes == 0;
  node.free_bytes = std::min(free_bytes(meminfo.value), node.memory_bytes);
}

void read_pool(PagePool& pool, const std::string& folder, bool alone) {
  const auto files = base::text("hugepages/hugepages-", pool.page_bytes / 1024, "kB/");
  auto total = number_in(folder + "/" + files + "nr_hugepages");
  auto free = number_in(folder + "/" + files + "free_hugepages");
  if (!total && !free && alone) {
    total = number_in("/sys/kernel/mm/" + files + "nr_hugepages");
    free = number_in("/sys/kernel/mm/" + files + "free_hugepages");
  }
  pool.total_pages = total.value_or(pool.total_pages);
  pool.free_pages = free.value_or(pool.free_pages);
}

}  // namespace

std::uint64_t meminfo_bytes(std::string_view meminfo, std::string_view key) {
  const auto position = meminfo.find(key);
  if (position == std::string_view::npos) return 0;
  return number_at(meminfo.substr(position + key.size())).value_or(0) * 1024;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const auto text = current().read_text(path);
  return text.ok() ? number_at(text.value) : std::nullopt;
}

// Only the inactive half of the page cache counts: the active half is in use, and other programs would suffer
// if it were reclaimed. Of the reclaimable slabs, usually only half can be freed, because live objects keep
// the rest.
std::uint64_t free_bytes(const std::string& meminfo) {
  const auto cache = meminfo_bytes(meminfo, "Inactive(file):");
  const auto dirty = meminfo_bytes(meminfo, "Dirty:");
  return meminfo_bytes(meminfo, "MemFree:") + (cache - std::min(cache, dirty)) +
         meminfo_bytes(meminfo, "SReclaimable:") / 2;
}

IndexSet nodes_granted() {
  const auto asked = current().allowed_nodes();
  if (asked.ok()) return asked.value;
  const auto status = current().read_text("/proc/self/status").value;
  constexpr std::string_view key = "\nMems_allowed_list:";
  const auto found = status.find(key);
  if (found == std::string::npos) return {};
  const auto begin = found + key.size();
  return IndexSet::parse(status.substr(begin, status.find('\n', begin) - begin)).value_or(IndexSet());
}

void read_moment(MachineData& machine) {
  const bool alone = machine.nodes.size() == 1;
  const IndexSet granted = nodes_granted();
  for (Node& node : machine.nodes) {
    // hwloc reports every node as allowed if it cannot find the files of the cpuset.
    if (!granted.empty() && node.memory_bytes > 0)
      node.allowed = node.allowed && granted.contains(node.os_index);
    const auto folder = base::text("/sys/devices/system/node/node", node.os_index);
    read_memory(node, folder, alone);
    for (PagePool& pool : node.pools)
      if (pool.page_bytes > machine.page_bytes) read_pool(pool, folder, alone);
  }
  if (const auto quota = cpu_quota()) machine.cpu_quota = quota;
}

// The name of the program stands in brackets, and may contain any character.
std::optional<std::uint64_t> process_start_ticks(std::uint32_t pid) {
  const auto stat = current().read_text(base::text("/proc/", pid, "/stat"));
  const auto behind_name = stat.value.rfind(')');
  if (!stat.ok() || behind_name == std::string::npos) return std::nullopt;
  std::istringstream words(stat.value.substr(behind_name + 1));
  std::string word;
  for (int field = 3; field <= 22 && words >> word; ++field)
    if (field == 3 && (word == "Z" || word == "X")) return std::nullopt;  // the process has ended
  std::uint64_t ticks = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), ticks);
  return read.ec == std::errc() ? std::optional(ticks) : std::nullopt;
}

}  // namespace nodewise::os
