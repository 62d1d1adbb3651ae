#include "parts/flags.hpp"

#include <filesystem>
#include <vector>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "command.hpp"
#include "parts/parse.hpp"

namespace nodewise::tools {
namespace {

// A flag whose text `take` understands, or refuses by returning false.
CLI::Option* add_parsed(CLI::App& app, const std::string& name, const std::string& type,
                        const std::string& wanted, const std::string& description,
                        const std::function<bool(const std::string&)>& take) {
  const auto parse = [name, wanted, take](const std::string& text) {
    if (!take(text)) throw CLI::ValidationError(name, "\"" + text + "\" is not " + wanted);
  };
  return app.add_option_function<std::string>(name, parse, description)->type_name(type);
}

// A flag that takes the name of one of the enumeration's values.
template <NamedEnum E>
CLI::Option* add_choice(CLI::App& app, const std::string& name, const std::string& description,
                        const std::function<void(E)>& take) {
  std::string names;
  for (const E value : all_values<E>()) names += base::text(names.empty() ? "" : "|", to_string(value));
  return add_parsed(app, name, names, "one of " + names, description, [take](const std::string& text) {
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

bool take_weights(const std::string& text, LoaderOptions& options) {
  const auto named = parse<Weights>(text);
  if (named && *named != Weights::given) return options.weights = *named, true;
  const auto given = parse_weights(text);
  if (!given) return false;
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

CLI::Option* add_count(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& target,
                       const std::string& description) {
  return add_parsed(app, name, "N", "a whole number from 0 to 2^64 - 1", description,
                    [&target](const std::string& text) { return (target = parse_count(text)).has_value(); });
}

CLI::Option* add_size(CLI::App& app, const std::string& name, std::optional<std::uint64_t>& target,
                      const std::string& description) {
  return add_parsed(app, name, "SIZE", "a size such as 4096, 64KiB, 2M or 1.5GB", description,
                    [&target](const std::string& text) { return (target = parse_size(text)).has_value(); });
}

CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<double>& target, double least,
                        double most, const std::string& description) {
  const auto wanted = base::text("a number from ", least, " to ", most);
  return add_parsed(app, name, "NUMBER", wanted, description,
                    [&target, least, most](const std::string& text) {
                      target = parse_number(text);
                      return target && *target >= least && *target <= most;
                    });
}

CLI::Option* add_duration(CLI::App& app, const std::string& name,
                          std::optional<std::chrono::nanoseconds>& target, const std::string& description) {
  return add_parsed(
      app, name, "DURATION", "a time such as 30s, 10m, 2h or 7d", description,
      [&target](const std::string& text) { return (target = parse_duration(text)).has_value(); });
}

CLI::Option* add_dtype(CLI::App& app, std::optional<DType>& target, const std::string& description) {
  std::string names;
  for (const DType dtype : all_dtypes) names += base::text(names.empty() ? "" : ", ", dtype_name(dtype));
  return add_parsed(app, "--dtype", "TYPE", "one of " + names, description,
                    [&target](const std::string& text) { return (target = parse_dtype(text)).has_value(); });
}

CLI::Option* add_json(CLI::App& app, bool& target, const std::string& schema) {
  return app.add_flag("--json", target, "print " + schema + " for programs to read (docs/json.md)");
}

void add_refused(CLI::App& app, const std::string& name, const std::string& reason) {
  const auto refuse = [name, reason](const std::string&) { throw CLI::ValidationError(name, reason); };
  app.add_option_function<std::string>(name, refuse)->group("");
}

void add_topology_flag(CLI::App& app, TopologyFlag& flag) {
  app.add_option("--topology", flag.text,
                 "another machine: a file that `lstopo FILE.xml` wrote, or an hwloc synthetic description "
                 "such as \"numa:4 core:8 pu:1\"")
      ->type_name("FILE.xml|TEXT");
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

void add_scheduling(CLI::App& app, LoaderOptions& options) {
  add_choice<Scheduling>(app, "--scheduling",
                         "local: each worker reads its own part only (the default); stealing: who is done "
                         "helps those nearest to it, from afar if need be",
                         [&options](Scheduling scheduling) { options.team.scheduling = scheduling; });
}

void add_placing_flags(CLI::App& app, PlacingFlags& flags) {
  LoaderOptions& options = flags.options;
  add_count(app, "--batch-size", flags.batch_size, "samples in a batch; the last may be shorter");
  add_choice<Policy>(app, "--policy",
                     "blocked: each node owns consecutive batches (the default); interleaved: pages "
                     "alternate, for comparison only",
                     [&options](Policy policy) { options.policy = policy; });
  add_parsed(app, "--weights", "equal|cpus|capacity|W,W,...",
             "equal, cpus, capacity or one number for each node, such as 2,1,1",
             "how batches are shared out among nodes",
             [&options](const std::string& text) { return take_weights(text, options); });
  add_parsed(app, "--nodes", "LIST", "a list of nodes such as 0-1,3",
             "use these nodes only, by the kernel's numbers as numactl shows them",
             [&flags](const std::string& text) {
               flags.nodes = IndexSet::parse(text);
               return flags.nodes && !flags.nodes->empty();
             });
  add_choice<Binding>(app, "--binding",
                      "preferred: the best there is, verified (the default); required: fail where the plan "
                      "cannot be kept. Also NODEWISE_BINDING",
                      [&options](Binding binding) { options.binding = binding; });
  add_parsed(app, "--pages", "auto|base|transparent|hugetlb", "one of auto|base|transparent|hugetlb",
             "page size; auto: transparent huge pages where allowed (the default). Also NODEWISE_PAGES",
             [&options](const std::string& text) { return take_pages(text, options); });
}

LoaderOptions resolve(const PlacingFlags& flags, const Topology& topology) {
  LoaderOptions options = flags.options;
  if (flags.nodes) {
    for (const unsigned os_index : flags.nodes->indices()) {
      const auto node = topology.node_of_os_index(os_index);
      if (!node)
        throw Failure(Exit::bad_input, base::text("--nodes: there is no node ", os_index, " on ",
                                                  topology.origin(), "; it has ", known_nodes(topology)));
      options.targets.push_back(*node);
    }
  }
  if (topology.is_this_machine()) options.topology = topology;
  return options;
}

NpyFile open_npy(const std::string& path, std::optional<DType> dtype) {
  try {
    NpyFile file(path, {.as_bf16 = dtype == DType::bf16});
    if (dtype && file.dtype() != *dtype)
      throw Failure(Exit::bad_input, base::text(path, " holds ", dtype_name(file.dtype()), ", not ",
                                                dtype_name(*dtype), "; leave --dtype out"));
    return file;
  } catch (const SystemError& error) {
    throw Failure(Exit::bad_input, error.what());
  }
}

}  // namespace nodewise::tools
