#include "parts/flags.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/sizes.hpp>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/parse.hpp"

namespace nodewise::tools {
namespace {

constexpr unsigned largest_node = 1023;  // Linux has at most 1024 (CONFIG_NODES_SHIFT)

// A flag whose text `take` understands, or refuses by returning false.
Flag parsed_flag(std::string name, std::string type, std::string wanted, std::string help,
                 std::function<bool(const std::string&)> take) {
  const Take check = [wanted = std::move(wanted), take = std::move(take)](const std::string& text) {
    return take(text) ? std::nullopt : std::optional("\"" + text + "\" is not " + wanted);
  };
  return {.name = std::move(name), .help = std::move(help), .target = check, .type = std::move(type)};
}

template <NamedEnum E>
std::string all_names(const std::string& separator) {
  std::string names;
  for (const E value : all_values<E>())
    names += (names.empty() ? "" : separator) + std::string(to_string(value));
  return names;
}

// A flag that takes the name of one of the enumeration's values.
template <NamedEnum E>
Flag choice_flag(std::string name, std::string help, const std::function<void(E)>& take) {
  const std::string names = all_names<E>("|");
  return parsed_flag(std::move(name), names, "one of " + names, std::move(help),
                     [take](const std::string& text) {
                       const auto value = parse<E>(text);
                       if (value) take(*value);
                       return value.has_value();
                     });
}

std::optional<std::vector<double>> parse_weights(const std::string& text) {
  std::vector<double> weights;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const auto weight = parse_number(std::string_view(text).substr(begin, end - begin));
    if (!weight || *weight < 0) return std::nullopt;
    weights.push_back(*weight);
    begin = end + 1;
  }
  return weights;
}

bool all_zero(const std::vector<double>& weights) {
  return std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 0; });
}

bool take_weights(const std::string& text, LoaderOptions& options) {
  const auto named = parse<Weights>(text);
  if (named && *named != Weights::given) return options.weights = *named, true;
  const auto given = parse_weights(text);
  if (!given || all_zero(*given)) return false;
  options.weights = Weights::given;
  options.given_weights = *given;
  return true;
}

bool take_pages(const std::string& text, LoaderOptions& options) {
  if (text == "auto") return options.pages = PageKind::automatic, true;
  const auto kind = parse<PageKind>(text);
  if (kind) options.pages = *kind;
  return kind.has_value();
}

std::string known_nodes(const Topology& topology) {
  IndexSet known;
  for (const Node& node : topology.nodes()) known.insert(node.os_index);
  return known.to_string();
}

}  // namespace

Flag count_flag(std::string name, std::optional<std::uint64_t>& target, std::string help) {
  return parsed_flag(std::move(name), "N", "a whole number from 0 to 2^64 - 1", std::move(help),
                     [&target](const std::string& text) { return (target = parse_count(text)).has_value(); });
}

Flag size_flag(std::string name, std::optional<std::uint64_t>& target, std::string help) {
  return parsed_flag(std::move(name), "SIZE", "a size such as 4096, 64KiB, 2M or 1.5GB", std::move(help),
                     [&target](const std::string& text) { return (target = parse_bytes(text)).has_value(); });
}

Flag number_flag(std::string name, std::optional<double>& target, double least, double most,
                 std::string help) {
  return parsed_flag(std::move(name), "NUMBER", fmt::format("a number from {:g} to {:g}", least, most),
                     std::move(help), [&target, least, most](const std::string& text) {
                       target = parse_number(text);
                       return target && *target >= least && *target <= most;
                     });
}

Flag duration_flag(std::string name, std::optional<std::chrono::duration<double>>& target, std::string help) {
  return parsed_flag(
      std::move(name), "DURATION", "a time such as 30s, 10m, 2h or 7d", std::move(help),
      [&target](const std::string& text) { return (target = parse_duration(text)).has_value(); });
}

Flag dtype_flag(std::optional<DType>& target, std::string help) {
  return parsed_flag("--dtype", "TYPE", "one of " + dtype_names(), std::move(help),
                     [&target](const std::string& text) { return (target = parse_dtype(text)).has_value(); });
}

std::string dtype_names() {
  return all_names<DType>(", ");
}

Flag json_flag(bool& target, const std::string& schema) {
  return {.name = "--json",
          .help = "print " + schema + " for programs to read (docs/json.md)",
          .target = &target};
}

Flag refused_flag(std::string name, std::string reason) {
  const Take refuse = [reason = std::move(reason)](const std::string&) { return std::optional(reason); };
  return {.name = std::move(name), .help = {}, .target = refuse, .hidden = true};
}

Flag topology_flag(TopologyFlag& target) {
  return {.name = "--topology",
          .help =
              "another machine: a file that `lstopo FILE.xml` wrote, or an hwloc synthetic description "
              "such as \"numa:4 core:8 pu:1\"",
          .target = &target.text,
          .type = "FILE.xml|TEXT"};
}

Topology load(const TopologyFlag& flag) {
  if (flag.text.empty()) return Topology::this_machine();
  std::error_code ignored;
  if (!flag.text.ends_with(".xml") && !std::filesystem::exists(flag.text, ignored))
    return Topology::from_synthetic(flag.text);
  try {
    return Topology::from_xml(flag.text);
  } catch (const SystemError& error) {
    throw Failure(Exit::bad_input, error.what());
  }
}

Flag scheduling_flag(LoaderOptions& options) {
  return choice_flag<Scheduling>(
      "--scheduling",
      "local: each worker reads only its own part (the default); stealing: a worker "
      "that has finished takes over work from the nearest workers",
      [&options](Scheduling scheduling) { options.team.scheduling = scheduling; });
}

Flags placing_flags(PlacingFlags& target) {
  LoaderOptions& options = target.options;
  return {
      count_flag("--batch-size", target.batch_size, "samples in a batch; the last may be shorter"),
      choice_flag<Policy>("--policy",
                          "blocked: each node owns consecutive batches (the default); interleaved: pages "
                          "alternate, for comparison only",
                          [&options](Policy policy) { options.policy = policy; }),
      parsed_flag("--weights", "equal|cpus|capacity|W,W,...",
                  "equal, cpus, capacity or one number for each node, such as 2,1,1, of which one is above 0",
                  "how batches are divided among the nodes",
                  [&options](const std::string& text) { return take_weights(text, options); }),
      parsed_flag(
          "--nodes", "LIST",
          fmt::format("a list of nodes such as 0-1,3; the kernel numbers nodes from 0 to {}", largest_node),
          "use only these nodes, by the kernel's numbers, which numactl shows",
          [&target](const std::string& text) {
            target.nodes = IndexSet::parse(text);
            return target.nodes && !target.nodes->empty() && !target.nodes->next(largest_node).has_value();
          }),
      choice_flag<Binding>(
          "--binding",
          "preferred: use the best placement that is possible (the default); required: fail if the "
          "plan cannot be kept. Also NODEWISE_BINDING",
          [&options](Binding binding) { options.binding = binding; }),
      parsed_flag("--pages", "auto|base|transparent|hugetlb", "one of auto|base|transparent|hugetlb",
                  "kind of pages; auto: transparent huge pages if allowed (the default). Also NODEWISE_PAGES",
                  [&options](const std::string& text) { return take_pages(text, options); }),
  };
}

LoaderOptions resolve(const PlacingFlags& flags, const Topology& topology) {
  LoaderOptions options = flags.options;
  if (flags.nodes) {
    for (const unsigned os_index : flags.nodes->indices()) {
      const auto node = topology.node_of_os_index(os_index);
      if (!node)
        throw Failure(Exit::bad_input, fmt::format("--nodes: there is no node {} on {}; it has {}", os_index,
                                                   topology.origin(), known_nodes(topology)));
      options.targets.push_back(*node);
    }
  }
  if (topology.is_this_machine()) options.topology = topology;
  return options;
}

Flags join(std::initializer_list<Flags> lists) {
  Flags all;
  for (const Flags& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

Source open_data(const std::string& path, std::optional<DType> dtype) {
  try {
    return open_source(path, {.dtype = dtype});
  } catch (const SystemError& error) {
    throw Failure(Exit::bad_input, without_call(error.what()));
  }
}

}  // namespace nodewise::tools
