// nodewise count: what was counted, for people and for programs.
#include <fmt/core.h>

#include <set>

#include <nodewise/sizes.hpp>

#include "count/count.hpp"
#include "parts/describe.hpp"
#include "parts/json.hpp"

namespace nodewise::tools {
namespace {

Json accesses_json(const LoadsAndStores& accesses) {
  return {{"loads", accesses.loads.count},
          {"load_bytes", accesses.loads.bytes},
          {"stores", accesses.stores.count},
          {"store_bytes", accesses.stores.bytes}};
}

Json node_json(int node) {
  if (node == device_node) return "device";
  return node < 0 ? Json(nullptr) : Json(node);
}

Json traffic_json(const Traffic& traffic) {
  Json between = Json::array();
  for (const auto& [nodes, accesses] : traffic.between) {
    Json cell = {{"cpu_os_index", node_json(nodes.first)}, {"memory_os_index", node_json(nodes.second)}};
    cell.add_members_of(accesses_json(accesses));
    between.push_back(std::move(cell));
  }
  const auto local = traffic.local(), remote = traffic.remote();
  const auto both = local.bytes() + remote.bytes();
  return {{"local", accesses_json(local)},
          {"remote", accesses_json(remote)},
          {"unknown", accesses_json(traffic.unknown())},
          {"devices", accesses_json(traffic.devices())},
          {"remote_fraction",
           both == 0 ? Json(nullptr) : Json(static_cast<double>(remote.bytes()) / static_cast<double>(both))},
          {"between", between}};
}

std::string share_text(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// One line for each node that has CPUs: bytes to and from the memory of each node.
std::string matrix_text(const Traffic& traffic) {
  std::set<int> cpu_nodes, memory_nodes;
  for (const auto& [nodes, accesses] : traffic.between) {
    if (nodes.first < 0 || nodes.second < 0) continue;
    cpu_nodes.insert(nodes.first);
    memory_nodes.insert(nodes.second);
  }
  std::vector<std::vector<std::string>> rows = {{"CPUs of"}};
  for (const int memory : memory_nodes) rows[0].push_back(fmt::format("memory {}", memory));
  for (const int cpu : cpu_nodes) {
    rows.push_back({fmt::format("node {}", cpu)});
    for (const int memory : memory_nodes) {
      const auto found = traffic.between.find({cpu, memory});
      rows.back().push_back(found == traffic.between.end() ? "-" : fmt::format("{}", found->second.bytes()));
    }
  }
  return draw_table(rows, "l" + std::string(memory_nodes.size(), 'r'));
}

std::vector<std::string> sum_row(const std::string& name, const Traffic& traffic) {
  const auto local = traffic.local().bytes(), remote = traffic.remote().bytes();
  return {name, fmt::format("{}", local + remote), fmt::format("{}", local), fmt::format("{}", remote),
          share_text(remote, local + remote)};
}

std::string sums_text(const CountResult& result) {
  const Counted& counted = result.counted;
  std::vector<std::vector<std::string>> rows = {{"bytes of", "all", "local", "remote", "share"},
                                                sum_row("the program alone", counted.program)};
  for (const auto& [label, data] : counted.data)
    rows.push_back(sum_row(fmt::format("  in dataset {}", label), data));
  rows.push_back(sum_row("the kernel meanwhile", counted.kernel));
  if (!result.options.skip_boot) {
    rows.push_back(sum_row("before and after", counted.outside));
    rows.push_back(sum_row("total", counted.total()));
  }
  return draw_table(rows, "lrrrr");
}

std::string verdict_text(const CountResult& result) {
  const Traffic& program = result.counted.program;
  const auto remote = program.remote(), local = program.local();
  return fmt::format(
      "Verdict  of the bytes that the program loaded and stored, {} lay on another node than the CPU ({})\n",
      share_text(remote.bytes(), local.bytes() + remote.bytes()), human_bytes(remote.bytes()));
}

}  // namespace

std::string count_json(const CountResult& result) {
  const CountOptions& options = result.options;
  const Counted& counted = result.counted;
  Json data = Json::array();
  for (const auto& [label, traffic] : counted.data) {
    Json marked = {{"label", label}};
    marked.add_members_of(traffic_json(traffic));
    data.push_back(std::move(marked));
  }
  const Json report = {{"schema", "nodewise.count/1"},
                       {"topology", options.topology},
                       {"kernel", options.kernel},
                       {"node_memory_bytes", *options.node_mib << 20},
                       {"command", options.command},
                       {"exit_code", result.exit_code},
                       {"program", traffic_json(counted.program)},
                       {"data", data},
                       {"kernel_meanwhile", traffic_json(counted.kernel)},
                       {"outside", options.skip_boot ? Json(nullptr) : traffic_json(counted.outside)},
                       {"total", options.skip_boot ? Json(nullptr) : traffic_json(counted.total())}};
  return report.text();
}

std::string count_text(const CountResult& result) {
  const CountOptions& options = result.options;
  std::string command;
  for (const std::string& word : options.command) command += (command.empty() ? "" : " ") + shell_word(word);
  return fmt::format(
      "\nProgram  {}: exit code {}\nMachine  {}, {} MiB on each node, Linux {}, emulated\n"
      "\nThe program's bytes, by the node of the CPU and the node of the memory\n{}\n{}\n"
      "The machine has no caches, so every load and store counts its bytes.\n{}",
      command, result.exit_code, options.topology, *options.node_mib, options.kernel,
      matrix_text(result.counted.program), sums_text(result), verdict_text(result));
}

}  // namespace nodewise::tools
