#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include <nodewise/sizes.hpp>

#include "parts/describe.hpp"
#include "parts/terminal.hpp"
#include "run/run.hpp"

namespace nodewise::tools {
namespace {

std::string team_text(const RunResult& result) {
  const Topology& topology = result.loader->buffer().topology();
  std::vector<unsigned> on_node(topology.nodes().size());
  for (const Worker& worker : result.loader->team().workers()) ++on_node[worker.node];
  const auto& lost = result.placement->degradations();
  const bool pinned = std::none_of(lost.begin(), lost.end(), [](const Degradation& degradation) {
    return degradation.kind == DegradationKind::pinning_refused;
  });
  const auto count = result.loader->team().workers().size();
  std::string text = counted(count, pinned ? "pinned worker" : "unpinned worker") + ':';
  const char* separator = " ";
  for (const Node& node : topology.nodes()) {
    if (on_node[node.index] == 0) continue;
    text += fmt::format("{}{} on node {}", separator, on_node[node.index], node.os_index);
    separator = ", ";
  }
  return text;
}

// Four decimals, as get_batch_means rounds, unless that would be a line of digits.
std::string mean_text(double mean) {
  constexpr double long_from = 1e15;
  return std::abs(mean) < long_from ? fmt::format("{:.4f}", round_to_4(mean)) : fmt::format("{}", mean);
}

std::string means_text(const RunResult& result) {
  if (!result.means) return "not computed (--no-means)";
  constexpr std::size_t shown = 6;
  const auto& values = result.means->values;
  if (values.empty()) return "none: the file has no sample";
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, values.size()); ++i)
    text += (i == 0 ? "" : "  ") + mean_text(values[i]);
  if (values.size() > shown) text += fmt::format("  ...  ({} in all; --json gives every one)", values.size());
  return text;
}

std::string readers_text(const RunResult& result) {
  std::uint64_t local = 0;
  std::uint64_t remote = 0;
  std::uint64_t unknown = 0;
  for (const WorkerReads& reads : result.reads) {
    local += reads.local_bytes;
    remote += reads.remote_bytes;
    unknown += reads.unknown_bytes;
  }
  std::string text = fmt::format("{} bytes from the worker's own node, {} from other nodes", local, remote);
  if (unknown > 0) text += fmt::format(", {} from nodes that the kernel does not name", unknown);
  if (result.negative_control) text += "; workers read for the wrong nodes (--negative-control)";
  const Topology& topology = result.loader->buffer().topology();
  for (const Orphan& orphan : result.orphans)
    text += fmt::format("\n         node {} has no worker: the workers of node {} read its batches",
                        topology.node(orphan.node).os_index, topology.node(orphan.read_from).os_index);
  return text;
}

// Where workers are, by the kernel's numbers.
std::string nodes_with_workers(const RunResult& result) {
  IndexSet nodes;
  for (const Worker& worker : result.loader->team().workers())
    nodes.insert(result.loader->buffer().topology().node(worker.node).os_index);
  return nodes.to_string();
}

std::string segment_text(const Segment& segment) {
  return fmt::format("{} ({}), {}", segment.name(), segment.path(),
                     segment.kept() ? "kept until it is removed" : "removed when the last process closes it");
}

std::string segment_steps(const Segment& segment) {
  return next_text({{"placement --segment " + segment.name(), "shows where its pages lie now"},
                    {"segments", "lists all segments, and how many processes have each of them open"},
                    {"segments remove " + segment.name(), "removes the segment and frees its memory"}});
}

std::string next_steps(const RunResult& result) {
  const auto segment = result.loader->segment();
  if (segment && segment->kept()) return segment_steps(*segment);  // its name is taken: no run is the next
  const Plan& plan = result.loader->plan();
  const std::string file = shell_word(result.path);
  const PlacementBytes bytes = result.placement->total();
  std::vector<std::pair<std::string, std::string>> commands;
  if (bytes.misplaced_bytes + bytes.absent_bytes + bytes.unknown_bytes > 0 ||
      !result.placement->degradations().empty())
    commands.emplace_back("doctor", "finds what prevents the planned placement here, and the remedy");
  if (!result.orphans.empty() && !result.nodes_named && !result.replayed)
    commands.emplace_back(same_arguments("run") + " --nodes " + nodes_with_workers(result),
                          "uses only nodes that have workers, so that no worker reads from another node");
  if (const auto better = batch_size_without_cut(plan); better > 0 && !result.replayed)
    commands.emplace_back(same_arguments("run", better),
                          "uses the nearest batch size with which no page is shared by two nodes");
  if (result.loader->buffer().topology().nodes().size() == 1)
    commands.emplace_back(
        fmt::format("plan {} --batch-size {} --topology \"numa:4 core:2 pu:1\"", file,
                    plan.dataset().batch_size()),
        "this machine has one node; this shows where the batches would lie on a machine with four");
  if (!result.judged && plan.policy() != Policy::interleaved)  // which promises no locality
    commands.emplace_back(
        same_arguments("run") + " --require-local 0.99 --json",
        "for scripts: prints all means and numbers as JSON; exit code 1 if less than 99 % is local");
  commands.emplace_back("topology", "describes this machine");
  constexpr std::size_t most_shown = 3;
  commands.resize(std::min(commands.size(), most_shown));
  return next_text(commands);
}

std::string data_text(const RunResult& result) {
  return fmt::format("Data     {}: {}\n", printable(result.path), dataset_text(result.loader->plan())) +
         fmt::format("Machine  {}\n", machine_text(result.loader->buffer().topology()));
}

std::string plan_lines(const RunResult& result) {
  std::string text = fmt::format("Plan     {}\n", plan_text(result.loader->plan()));
  if (const auto segment = result.loader->segment())
    text += fmt::format("Segment  {}\n", segment_text(*segment));
  return text;
}

std::string picture_text(const RunResult& result, const Screen& screen) {
  const Plan& plan = result.loader->plan();
  std::string text = result.placement->picture(screen) + '\n';
  if (plan.num_batches() > 0)
    text += fmt::format("Example  {}\n", example_text(plan, result.placement->batches()));
  return text;
}

std::string judgement_text(const RunResult& result, const Screen& screen) {
  const Plan& plan = result.loader->plan();
  const std::string cut = plan.cut_bytes() > 0 ? fmt::format("Cut      {}\n", cut_text(plan)) : "";
  return cut + result.placement->verdict(screen);
}

}  // namespace

std::string run_text(const RunResult& result) {
  const Screen screen = tools::screen();
  std::string text = data_text(result);
  text += fmt::format("Team     {}\n", team_text(result));
  text += plan_lines(result) + picture_text(result, screen);
  text += fmt::format("Means    {}\n", means_text(result));
  if (result.means) text += fmt::format("Readers  {}\n", readers_text(result));
  return text + judgement_text(result, screen) + '\n' + next_steps(result);
}

std::string placement_text(const RunResult& result) {
  const Screen screen = tools::screen();
  return data_text(result) + plan_lines(result) + picture_text(result, screen) +
         judgement_text(result, screen);
}

}  // namespace nodewise::tools
