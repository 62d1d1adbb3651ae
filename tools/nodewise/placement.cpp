// nodewise placement: where the memory of a process, or of a segment, lies now.
#include <fmt/core.h>

#include <cerrno>
#include <charconv>
#include <map>
#include <memory>
#include <sstream>

#include <nodewise/error.hpp>
#include <nodewise/sizes.hpp>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/flags.hpp"
#include "parts/json.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"
#include "run/run.hpp"
#include "segments/segments.hpp"

namespace nodewise::tools {
namespace {

using NodeBytes = std::map<unsigned, std::uint64_t>;  // by the kernel's number

struct Options {
  std::optional<std::uint64_t> pid;
  std::optional<std::string> segment;
  bool json = false;
};

struct Mapping {
  std::string address;  // hexadecimal, of its first byte
  std::string policy;   // as the kernel writes it: "default", "prefer:1", "bind:0"
  std::string what;     // a file's path, "heap", "stack" or "anonymous"
  NodeBytes bytes_on_node;
};

std::uint64_t total_of(const NodeBytes& bytes) {
  std::uint64_t total = 0;
  for (const auto& [node, on_node] : bytes) total += on_node;
  return total;
}

// "N1=4096" gives node 1 and 4096 pages.
bool take_pages(const std::string& word, NodeBytes& pages) {
  const auto equals = word.find('=');
  if (word[0] != 'N' || equals == std::string::npos) return false;
  unsigned node = 0;
  std::uint64_t count = 0;
  const auto number = std::from_chars(word.data() + 1, word.data() + equals, node);
  if (number.ec != std::errc() || number.ptr != word.data() + equals) return false;
  std::from_chars(word.data() + equals + 1, word.data() + word.size(), count);
  pages[node] += count;
  return true;
}

Mapping parse_line(const std::string& line) {
  constexpr std::string_view file = "file=";
  constexpr std::string_view page_size = "kernelpagesize_kB=";
  Mapping mapping;
  mapping.what = "anonymous";
  std::uint64_t page_kib = 4;
  std::istringstream words(line);
  words >> mapping.address >> mapping.policy;
  for (std::string word; words >> word;) {
    if (word == "heap" || word == "stack") mapping.what = word;
    if (word.starts_with(file)) mapping.what = word.substr(file.size());
    if (word.starts_with(page_size))
      std::from_chars(word.data() + page_size.size(), word.data() + word.size(), page_kib);
    take_pages(word, mapping.bytes_on_node);
  }
  for (auto& [node, bytes] : mapping.bytes_on_node) bytes *= page_kib * 1024;
  return mapping;
}

std::vector<Mapping> mappings_of(std::uint64_t pid) {
  const auto folder = fmt::format("/proc/{}", pid);
  const auto text = read_text(folder + "/numa_maps");
  if (!text.ok()) require_proc("what processes have mapped");
  if (!text.ok() && !read_text(folder + "/stat").ok())
    throw Failure(Exit::bad_input, fmt::format("--pid {}: there is no such process", pid));
  if (!text.ok())
    throw Failure(Exit::machine_cannot, fmt::format("{}/numa_maps cannot be read: {}; only the owner of the "
                                                    "process and root may read it, and the kernel needs NUMA",
                                                    folder, errno_text(text.error)));
  std::vector<Mapping> mappings;
  std::istringstream lines(text.value);
  for (std::string line; std::getline(lines, line);) mappings.push_back(parse_line(line));
  return mappings;
}

std::string name_of(std::uint64_t pid) {
  auto name = read_text(fmt::format("/proc/{}/comm", pid)).value;
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

NodeBytes sum(const std::vector<Mapping>& mappings) {
  NodeBytes sums;
  for (const Mapping& mapping : mappings)
    for (const auto& [node, bytes] : mapping.bytes_on_node) sums[node] += bytes;
  return sums;
}

Json json_of(const NodeBytes& bytes) {
  Json nodes = Json::array();
  for (const auto& [node, on_node] : bytes) nodes.push_back({{"os_index", node}, {"bytes", on_node}});
  return nodes;
}

std::string json_of(std::uint64_t pid, const std::vector<Mapping>& mappings) {
  Json rows = Json::array();
  for (const Mapping& mapping : mappings)
    rows.push_back({{"address", "0x" + mapping.address},
                    {"what", mapping.what},
                    {"policy", mapping.policy},
                    {"bytes", total_of(mapping.bytes_on_node)},
                    {"nodes", json_of(mapping.bytes_on_node)}});
  const Json process = {{"schema", "nodewise.process/1"},
                        {"host", host_name()},
                        {"pid", pid},
                        {"command", name_of(pid)},
                        {"asking_rung", "numa_maps"},
                        {"nodes", json_of(sum(mappings))},
                        {"mappings", rows}};
  return process.text();
}

std::vector<std::string> row_of(const std::string& address, const std::string& what,
                                const std::string& policy, const NodeBytes& bytes, const NodeBytes& columns) {
  std::vector<std::string> row = {address, what, policy};
  for (const auto& [node, ignored] : columns) {
    const auto found = bytes.find(node);
    row.push_back(found == bytes.end() ? "-" : human_bytes(found->second));
  }
  return row;
}

std::string text_of(std::uint64_t pid, const std::vector<Mapping>& mappings) {
  constexpr std::uint64_t sizable = 1 << 20;
  const NodeBytes all = sum(mappings);
  std::vector<std::vector<std::string>> rows = {{"address", "what", "policy"}};
  for (const auto& [node, bytes] : all) rows.front().push_back(fmt::format("node {}", node));
  NodeBytes smaller;
  for (const Mapping& mapping : mappings) {
    if (total_of(mapping.bytes_on_node) >= sizable) {
      rows.push_back(row_of(mapping.address, mapping.what, mapping.policy, mapping.bytes_on_node, all));
    } else {
      for (const auto& [node, bytes] : mapping.bytes_on_node) smaller[node] += bytes;
    }
  }
  rows.push_back(row_of("", "all mappings below 1 MiB", "", smaller, all));
  rows.push_back(row_of("", "all", "", all, all));
  return fmt::format("process {} ({}): {} in memory, by {}\n\n{}\n{}", pid, name_of(pid),
                     human_bytes(total_of(all)), "/proc/PID/numa_maps",
                     draw_table(rows, "lll" + std::string(all.size(), 'r')),
                     "A policy that ends in :N asks for pages of node N. Pages that lie elsewhere were\n"
                     "moved later, or the node was full.\n");
}

// Gone since it was listed, or another user's: the name was the wrong one.
BatchLoader open_segment(const std::string& name) {
  try {
    return BatchLoader::open(name);
  } catch (const SystemError& error) {
    const bool has_proc =
        read_text("/proc/self/stat").ok();  // without it, ENOENT says nothing about the name
    if ((error.code() == ENOENT && has_proc) || error.code() == EPERM)
      throw Failure(Exit::bad_input, without_call(error.what()));
    throw;
  }
}

Exit show_segment(const std::string& name, bool json) {
  const auto info = find_segment(name);
  if (!info) throw Failure(Exit::bad_input, no_segment_text(name));
  const Bystander bystander(*info);
  const BatchLoader loader = open_segment(name);
  RunResult result;
  result.path = "segment " + name;
  result.loader = &loader;
  result.placement = loader.placement();
  print(json ? Json::parse(result.placement->to_json()).text() : placement_text(result));
  return Exit::done;
}

Exit show(const Options& options) {
  if (options.segment) return show_segment(*options.segment, options.json);
  if (!options.pid) throw Failure(Exit::bad_input, "--pid or --segment is required");
  const auto mappings = mappings_of(*options.pid);
  print(options.json ? json_of(*options.pid, mappings) : text_of(*options.pid, mappings));
  return Exit::done;
}

}  // namespace

Subcommand placement_subcommand() {
  const auto options = std::make_shared<Options>();
  return {.name = "placement",
          .help = "show on which nodes the memory of a process or a segment lies now",
          .flags = {count_flag("--pid", options->pid,
                               "the number of the process, for example of a `nodewise run --hold`"),
                    {.name = "--segment",
                     .help = "compare the dataset in this segment with the plan that placed it",
                     .target = &options->segment,
                     .type = "NAME",
                     .excludes = {"--pid"}},
                    json_flag(options->json, "nodewise.process/1, or nodewise.placement/1 for a segment,")},
          .footer = R"(Examples
  nodewise run data.npy --batch-size 1024 --hold 60 &
  nodewise placement --pid $!
  nodewise placement --segment train)",
          .run = [options] { return show(*options); }};
}

}  // namespace nodewise::tools
