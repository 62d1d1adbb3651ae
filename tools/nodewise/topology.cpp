// nodewise topology: what this machine is, or another.
#include <nodewise/topology.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include <nodewise/sizes.hpp>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/flags.hpp"
#include "parts/json.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

struct Options {
  TopologyFlag topology;
  bool json = false;
};

Json json_of(const Node& node, const Json& host) {
  Json pools = Json::array();
  for (const PagePool& pool : node.pools)
    pools.push_back({{"page_bytes", pool.page_bytes},
                     {"total_pages", pool.total_pages},
                     {"free_pages", pool.free_pages}});
  return {{"host", host},
          {"rank", 0},
          {"node", node.index},
          {"os_index", node.os_index},
          {"cpus", node.cpus.to_string()},
          {"allowed_cpus", node.allowed_cpus.to_string()},
          {"cores", node.cores.size()},
          {"allowed", node.allowed},
          {"memory_bytes", node.memory_unknown ? Json() : Json(node.memory_bytes)},
          {"free_bytes", node.free_bytes},
          {"page_pools", pools}};
}

Json distances_of(const Topology& topology) {
  Json rows = Json::array();
  for (const Node& from : topology.nodes()) {
    Json row = Json::array();
    for (const Node& to : topology.nodes()) row.push_back(topology.distance(from.index, to.index));
    rows.push_back(row);
  }
  return rows;
}

Json json_of(const Topology& topology) {
  const Json host = topology.is_this_machine() ? Json(host_name()) : Json();
  Json nodes = Json::array();
  for (const Node& node : topology.nodes()) nodes.push_back(json_of(node, host));
  Json attributes = Json::array();
  for (const MemoryAttribute& attribute : topology.memory_attributes())
    attributes.push_back({{"name", attribute.name},
                          {"from", attribute.from},
                          {"to", attribute.to},
                          {"value", attribute.value}});
  Json devices = Json::array();
  for (const Device& device : topology.devices())
    devices.push_back({{"kind", to_string(device.kind)},
                       {"name", device.name},
                       {"description", device.description},
                       {"node", device.node ? Json(*device.node) : Json()},
                       {"os_index", device.node ? Json(topology.node(*device.node).os_index) : Json()}});
  return {{"schema", "nodewise.topology/1"},
          {"origin", topology.origin()},
          {"is_this_machine", topology.is_this_machine()},
          {"fingerprint", topology.fingerprint()},
          {"page_bytes", topology.page_bytes()},
          {"cpu_quota", topology.cpu_quota() ? Json(*topology.cpu_quota()) : Json()},
          {"default_targets", topology.default_targets()},
          {"nodes", nodes},
          {"distances", distances_of(topology)},
          {"memory_attributes", attributes},
          {"devices", devices}};
}

std::string cpus_text(const Node& node) {
  if (node.cpus.empty()) return "none: memory only";
  std::string text = fmt::format("{} ({}, {})", node.cpus.to_string(), counted(node.cpus.size(), "CPU"),
                                 counted(node.cores.size(), "core"));
  if (node.allowed_cpus == node.cpus) return text;
  return text + (node.allowed_cpus.empty() ? "; none of them allowed to this process"
                                           : "; allowed to this process: " + node.allowed_cpus.to_string());
}

std::string memory_text(const Topology& topology, const Node& node, const Screen& screen) {
  if (node.memory_unknown) return "unknown: the topology does not state it";
  if (node.memory_bytes == 0) return "none";
  std::string text = human_bytes(node.memory_bytes);
  if (topology.is_this_machine()) {
    constexpr std::uint64_t columns = 24;
    const auto used = node.memory_bytes - std::min(node.memory_bytes, node.free_bytes);
    const auto full = static_cast<std::size_t>((columns * (used / 1024)) /
                                               std::max<std::uint64_t>(1, node.memory_bytes / 1024));
    text += fmt::format("  [{}{}]  {} free", inked(screen, Ink::fair, std::string(full, '=')),
                        std::string(columns - full, '.'), human_bytes(node.free_bytes));
  }
  return node.allowed ? text : text + "; not allowed to this process";
}

std::string pages_text(const Topology& topology, const Node& node) {
  std::string text = human_bytes(topology.page_bytes());
  for (const PagePool& pool : node.pools) {
    if (pool.page_bytes == topology.page_bytes()) continue;
    text += fmt::format(
        "; {}: {}", human_bytes(pool.page_bytes),
        pool.total_pages == 0 ? "no pool" : fmt::format("{} of {} free", pool.free_pages, pool.total_pages));
  }
  return text;
}

std::string devices_text(const Topology& topology, std::optional<unsigned> node) {
  std::string text;
  for (const Device& device : topology.devices()) {
    if (device.node != node) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", to_string(device.kind), device.name);
    if (!device.description.empty()) text += fmt::format(" ({})", device.description);
  }
  return text;
}

std::string node_text(const Topology& topology, const Node& node, const Screen& screen) {
  std::string text = inked(screen, Ink::strong, fmt::format("node {}", node.os_index)) + '\n';
  text += "  CPUs     " + cpus_text(node) + '\n';
  text += "  memory   " + memory_text(topology, node, screen) + '\n';
  if (node.memory_bytes > 0) text += "  pages    " + pages_text(topology, node) + '\n';
  const std::string devices = devices_text(topology, node.index);
  if (!devices.empty()) text += "  devices  " + devices + '\n';
  return text;
}

// A matrix over nodes, by the kernel's numbers; `cell` may be empty.
template <class Cell>
std::string matrix_text(const Topology& topology, const Cell& cell) {
  std::vector<std::vector<std::string>> rows(1, {"  from \\ to"});
  for (const Node& to : topology.nodes()) rows.front().push_back(std::to_string(to.os_index));
  for (const Node& from : topology.nodes()) {
    rows.push_back({std::to_string(from.os_index)});
    for (const Node& to : topology.nodes()) rows.back().push_back(cell(from.index, to.index));
  }
  return draw_table(rows, std::string(topology.nodes().size() + 1, 'r'));
}

std::string attributes_text(const Topology& topology) {
  std::vector<std::string> names;
  for (const MemoryAttribute& attribute : topology.memory_attributes())
    if (std::find(names.begin(), names.end(), attribute.name) == names.end()) names.push_back(attribute.name);
  std::string text;
  for (const std::string& name : names) {
    const bool latency = name.find("Latency") != std::string::npos;
    text += fmt::format("\n{} ({}), as the firmware states it\n", name, latency ? "ns" : "MiB/s");
    text += matrix_text(topology, [&](unsigned from, unsigned to) -> std::string {
      for (const MemoryAttribute& attribute : topology.memory_attributes())
        if (attribute.name == name && attribute.from == from && attribute.to == to)
          return std::to_string(attribute.value);
      return "-";
    });
  }
  return text;
}

std::string text_of(const Topology& topology, const Screen& screen) {
  std::string text = machine_text(topology) + '\n';
  text += fmt::format("fingerprint {}", topology.fingerprint());
  if (topology.cpu_quota()) text += fmt::format(", CPU quota {:.4g} CPUs", *topology.cpu_quota());
  if (!topology.is_this_machine()) text += "; data can be planned for this machine, but not placed on it";
  text += "\n\n";
  for (const Node& node : topology.nodes()) text += node_text(topology, node, screen);
  const std::string elsewhere = devices_text(topology, std::nullopt);
  if (!elsewhere.empty()) text += "near no node in particular\n  devices  " + elsewhere + '\n';
  if (topology.nodes().size() > 1) {
    text += "\ndistances (10 is local, more is farther; they have no unit)\n";
    text += matrix_text(
        topology, [&](unsigned from, unsigned to) { return std::to_string(topology.distance(from, to)); });
  }
  return text + attributes_text(topology);
}

Exit show(const Options& options) {
  const Topology topology = load(options.topology);
  print(options.json ? json_of(topology).text() : text_of(topology, screen()));
  return Exit::done;
}

}  // namespace

Subcommand topology_subcommand() {
  const auto options = std::make_shared<Options>();
  return {.name = "topology",
          .help = "describe this machine or another: nodes, CPUs, memory, distances, devices",
          .flags = {topology_flag(options->topology), json_flag(options->json, "nodewise.topology/1")},
          .footer = R"(Examples
  nodewise topology
  nodewise topology --topology "pack:2 [numa(memory=16GB)] core:4 pu:2"
  nodewise topology --json)",
          .run = [options] { return show(*options); }};
}

}  // namespace nodewise::tools
