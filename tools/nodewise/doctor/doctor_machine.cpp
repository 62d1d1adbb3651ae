#include <fmt/core.h>

#include <algorithm>
#include <map>

#include <nodewise/allowance.hpp>
#include <nodewise/sizes.hpp>

#include "doctor/doctor.hpp"
#include "parts/parse.hpp"
#include "parts/system.hpp"

namespace nodewise::tools {
namespace {

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

// kernel.numa_balancing is a bit mask: 1 moves pages towards their readers, 2 between tiers of memory.
Finding autonuma(const Topology& topology) {
  Finding finding{"autonuma", Level::ok, {}, {}};
  const auto text = read_text("/proc/sys/kernel/numa_balancing");
  const auto mode = parse_count(trimmed(text.value));
  if (!text.ok() || !mode) {
    finding.evidence = "this kernel has no kernel.numa_balancing: it moves no page on its own";
    return finding;
  }
  finding.evidence = fmt::format("kernel.numa_balancing = {}", *mode);
  if (*mode == 0) {
    finding.evidence += " (off)";
    return finding;
  }
  if ((*mode & 1) != 0) finding.evidence += ", bit 1: pages move towards the CPUs that use them";
  if ((*mode & 2) != 0) finding.evidence += ", bit 2: pages move between fast and slow memory";
  if (topology.nodes().size() == 1) {
    finding.evidence += "; without effect on one node";
    return finding;
  }
  finding.level = Level::note;
  finding.evidence += "; pages placed by first touch may move later, pages bound by mbind do not";
  finding.remedy =
      "sysctl kernel.numa_balancing=0, or keep mbind available; `nodewise run` verifies in any case";
  return finding;
}

// The word in brackets of "always [madvise] never".
std::string chosen_word(const std::string& text) {
  const auto open = text.find('[');
  const auto close = text.find(']');
  return open < close && close != std::string::npos ? text.substr(open + 1, close - open - 1) : "";
}

Finding transparent_huge_pages() {
  Finding finding{"transparent-huge-pages", Level::ok, {}, {}};
  const auto text = read_text("/sys/kernel/mm/transparent_hugepage/enabled");
  const std::string mode = text.ok() ? chosen_word(text.value) : "";
  if (mode.empty()) {
    finding.level = Level::note;
    finding.evidence = "this kernel has none; memory is made of base pages";
    return finding;
  }
  finding.evidence = "enabled = " + mode;
  const auto defrag = read_text("/sys/kernel/mm/transparent_hugepage/defrag");
  if (defrag.ok()) finding.evidence += ", defrag = " + chosen_word(defrag.value);
  if (mode != "never") return finding;
  finding.level = Level::note;
  finding.evidence += "; large datasets are read through base pages, with more TLB misses";
  finding.remedy = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
  return finding;
}

Finding huge_page_pools(const Topology& topology) {
  Finding finding{"huge-page-pools", Level::ok, {}, {}};
  std::vector<std::uint64_t> per_node;
  for (const Node& node : topology.nodes()) {
    std::uint64_t pooled = 0;
    for (const PagePool& pool : node.pools) {
      if (pool.page_bytes == topology.page_bytes() || pool.total_pages == 0) continue;
      pooled += pool.page_bytes * pool.total_pages;
      finding.evidence +=
          fmt::format("{}node {}: {} of {} pages of {} free", finding.evidence.empty() ? "" : "; ",
                      node.os_index, pool.free_pages, pool.total_pages, human_bytes(pool.page_bytes));
    }
    if (node.memory_bytes > 0) per_node.push_back(pooled);
  }
  if (finding.evidence.empty()) {
    finding.evidence = "no pool is set aside; needed only for --pages hugetlb";
    finding.remedy =
        "for that: write a number of pages to /sys/devices/system/node/node*/hugepages/*/nr_hugepages";
    return finding;
  }
  if (std::adjacent_find(per_node.begin(), per_node.end(), std::not_equal_to<>()) == per_node.end())
    return finding;
  finding.level = Level::warning;
  finding.evidence += "; the nodes differ, so shards of equal size do not all fit";
  finding.remedy = "write one number to every /sys/devices/system/node/node*/hugepages/*/nr_hugepages";
  return finding;
}

// Control groups limit huge pages apart from memory, and a program notices that only when it uses the pages.
Finding huge_page_limits(const Topology& topology) {
  Finding finding{"huge-page-limits", Level::ok, {}, {}};
  std::map<std::uint64_t, std::uint64_t> pooled;  // bytes, by the size of a page
  for (const Node& node : topology.nodes())
    for (const PagePool& pool : node.pools)
      if (pool.page_bytes > topology.page_bytes())
        pooled[pool.page_bytes] += pool.page_bytes * pool.total_pages;
  for (const auto& [page_bytes, pool_bytes] : pooled) {
    const auto allowance = huge_page_allowance_now(page_bytes);
    if (!allowance) continue;
    finding.evidence += fmt::format(
        "{}{} leaves {}, and the pools of pages of {} hold {}", finding.evidence.empty() ? "" : "; ",
        allowance->from, human_bytes(allowance->bytes), human_bytes(page_bytes), human_bytes(pool_bytes));
    if (allowance->bytes < pool_bytes) finding.level = Level::note;
  }
  if (finding.evidence.empty()) finding.evidence = "no control group limits huge pages";
  if (finding.level == Level::note)
    finding.remedy =
        "a larger dataset under --pages hugetlb needs a higher limit in that file (Kubernetes "
        "limits.hugepages-2Mi)";
  return finding;
}

// A node without memory is no node that a cpuset could allow.
Finding cpuset(const Topology& topology) {
  Finding finding{"cpuset", Level::ok, {}, {}};
  IndexSet cpus;
  IndexSet allowed_cpus;
  IndexSet nodes;
  IndexSet allowed_nodes;
  IndexSet without_memory;
  for (const Node& node : topology.nodes()) {
    cpus |= node.cpus;
    allowed_cpus |= node.allowed_cpus;
    if (!node.has_memory()) {
      without_memory.insert(node.os_index);
      continue;
    }
    nodes.insert(node.os_index);
    if (node.allowed) allowed_nodes.insert(node.os_index);
  }
  finding.evidence = fmt::format("CPUs {} of {} and nodes {} of {} are allowed", allowed_cpus.to_string(),
                                 cpus.to_string(), allowed_nodes.to_string(), nodes.to_string());
  if (!without_memory.empty())
    finding.evidence += fmt::format("; node(s) {} have no memory", without_memory.to_string());
  if (cpus == allowed_cpus && nodes == allowed_nodes) return finding;
  finding.level = Level::note;
  finding.remedy =
      "usually intended in jobs and containers; otherwise change docker --cpuset-cpus and --cpuset-mems, "
      "or what the job requests";
  return finding;
}

Finding cpu_quota(const Topology& topology) {
  Finding finding{"cpu-quota", Level::ok, "none", {}};
  if (!topology.cpu_quota()) return finding;
  unsigned allowed = 0;
  for (const Node& node : topology.nodes()) allowed += node.allowed_cpus.size();
  finding.evidence = fmt::format("the control group grants {:.4g} CPUs' time, {} CPUs are allowed",
                                 *topology.cpu_quota(), allowed);
  if (*topology.cpu_quota() >= allowed) return finding;
  finding.level = Level::warning;
  finding.evidence += "; when the quota is used up, all workers are stopped, so nodewise starts fewer";
  finding.remedy =
      "raise the quota (docker --cpus, Kubernetes limits.cpu), or allow as many whole CPUs as it grants";
  return finding;
}

Finding memory_limit(const Topology& topology) {
  Finding finding{"memory", Level::ok, {}, {}};
  std::uint64_t free_bytes = 0;
  for (const Node& node : topology.nodes())
    if (node.allowed) free_bytes += node.free_bytes;
  const auto allowance = allowance_now(topology);
  if (!allowance) {
    finding.evidence = fmt::format("{} free on the allowed nodes", human_bytes(free_bytes));
    return finding;
  }
  finding.evidence = fmt::format("{} may still be used, according to {}; {} free on the allowed nodes",
                                 human_bytes(allowance->bytes), allowance->from, human_bytes(free_bytes));
  if (allowance->from.find("/proc/meminfo") == 0 || allowance->bytes >= free_bytes / 2) return finding;
  finding.level = Level::note;
  finding.remedy = "a larger dataset needs a higher limit (docker --memory, Slurm --mem)";
  return finding;
}

Finding mapped_memory() {
  const std::string limits = memory_limits();
  if (limits.empty()) return {"memory-limits", Level::ok, "no limit on what a process maps is set", {}};
  return {"memory-limits", Level::note, limits + "; datasets and the stacks of threads count",
          "a larger dataset needs a higher limit: ulimit -v, ulimit -d, sysctl vm.overcommit_memory=0"};
}

}  // namespace

std::vector<Finding> examine_machine(const Topology& topology) {
  return {autonuma(topology), transparent_huge_pages(), huge_page_pools(topology), huge_page_limits(topology),
          cpuset(topology),   cpu_quota(topology),      memory_limit(topology),    mapped_memory()};
}

}  // namespace nodewise::tools
