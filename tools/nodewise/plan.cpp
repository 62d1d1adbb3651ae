// nodewise plan: what would lie where, here or on another machine.
#include <nodewise/plan.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include <nodewise/error.hpp>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/flags.hpp"
#include "parts/output_file.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

struct Options {
  std::string file;
  std::optional<std::uint64_t> samples;
  std::optional<std::uint64_t> features;
  std::optional<DType> dtype;
  std::optional<std::uint64_t> page_bytes;
  PlacingFlags placing;
  TopologyFlag topology;
  bool json = false;
  std::string save;
};

struct Described {
  std::string name;
  Shape shape;
  DType dtype;
};

Described dataset_of(const Options& options) {
  const bool described = options.samples || options.features;
  if (options.file.empty() == !described)
    throw Failure(Exit::bad_input, "give either a FILE, or --samples, --features and --dtype");
  if (!options.file.empty()) {
    const Source file = open_data(options.file, options.dtype);
    return {options.file, file.shape(), file.dtype()};
  }
  if (!options.samples || !options.features || !options.dtype)
    throw Failure(Exit::bad_input, "without a FILE, all of --samples, --features and --dtype are needed");
  return {"a dataset", {*options.samples, *options.features}, *options.dtype};
}

// A foreign machine's pools decide its huge page; where it states none, the size that most machines have.
std::size_t hugetlb_page_of(const Topology& topology) {
  constexpr std::size_t usual = std::size_t{2} << 20;
  for (const Node& node : topology.nodes())
    for (const PagePool& pool : node.pools)
      if (pool.page_bytes > topology.page_bytes()) return pool.page_bytes;
  return usual;
}

PlanOptions plan_options_of(const Options& options, const Topology& topology) {
  const LoaderOptions placing = resolve(options.placing, topology);
  PlanOptions plan = plan_options(placing);
  if (!topology.is_this_machine())
    plan.page_bytes = chosen_pages(placing) == PageKind::hugetlb ? hugetlb_page_of(topology) : 0;
  if (options.page_bytes) plan.page_bytes = *options.page_bytes;
  return plan;
}

std::string shards_text(const Plan& plan) {
  const char* owner = plan.policy() == Policy::interleaved ? "read on" : "node";
  std::vector<std::vector<std::string>> rows = {
      {owner, "batches", "bytes", "page bytes", "cut", "beyond its memory"}};
  for (const Shard& shard : plan.shards())
    rows.push_back({std::to_string(shard.os_index), std::to_string(shard.batches.count()),
                    std::to_string(shard.bytes.bytes()), std::to_string(shard.pages.bytes()),
                    std::to_string(shard.cut_bytes), std::to_string(shard.spill_bytes)});
  return draw_table(rows, "rrrrrr");
}

std::string spill_text(const Plan& plan, const Topology& topology) {
  if (plan.policy() == Policy::interleaved) return "nothing: interleaved pages are planned for no node";
  for (const Shard& shard : plan.shards())
    if (topology.node(shard.node).memory_unknown)
      return "unknown: the topology does not state the memory of its nodes";
  if (plan.spill_bytes() == 0) return "nothing: every shard fits the memory of its node";
  return fmt::format(
      "{} bytes exceed the memory of their node and would lie elsewhere; use more nodes, or "
      "--weights capacity",
      plan.spill_bytes());
}

bool is_afar(const Plan& plan, const Topology& topology) {
  return std::all_of(plan.shards().begin(), plan.shards().end(),
                     [&](const Shard& shard) { return topology.node(shard.node).allowed_cpus.empty(); });
}

std::string next_steps(const Options& options, const Plan& plan, const Topology& topology) {
  std::vector<std::pair<std::string, std::string>> commands;
  if (const auto better = batch_size_without_cut(plan); better > 0)
    commands.emplace_back(same_arguments("plan", better),
                          "uses the nearest batch size with which no page is shared by two nodes");
  const bool runs_alike = topology.is_this_machine() && options.save.empty() && !options.page_bytes;
  if (options.file.empty())
    commands.emplace_back(
        fmt::format("generate data.npy --samples {} --features {} --dtype {}", plan.dataset().shape().samples,
                    plan.dataset().shape().features, dtype_name(plan.dataset().dtype())),
        "writes a file of this shape, for experiments");
  else if (!options.save.empty() && topology.is_this_machine())
    commands.emplace_back(fmt::format("run {} --plan {}", shell_word(options.file), shell_word(options.save)),
                          "uses this plan, computes the means of the batches, and shows where the pages lie");
  else if (!options.save.empty())
    commands.emplace_back(fmt::format("run {} --plan {}", shell_word(options.file), shell_word(options.save)),
                          "uses this plan; it works only on the machine that the plan is for");
  else
    commands.emplace_back(
        runs_alike
            ? same_arguments("run")
            : fmt::format("run {} --batch-size {}", shell_word(options.file), plan.dataset().batch_size()),
        "places the data here, computes the means of its batches, and shows where the pages lie");
  return next_text(commands);
}

std::string text_of(const Options& options, const std::string& name, const Plan& plan,
                    const Topology& topology) {
  const Screen screen = tools::screen();
  std::string text = fmt::format("Data     {}: {}\n", printable(name), dataset_text(plan));
  text += fmt::format("Machine  {}\n", machine_text(topology));
  text += fmt::format("Plan     {}\n\n", plan_text(plan));
  text += draw_batches(plan, planned_batches(plan), screen) + '\n';
  text += shards_text(plan) + '\n';
  text += fmt::format("Cut      {}\n", cut_text(plan));
  text += fmt::format("Spill    {}\n", spill_text(plan, topology));
  if (is_afar(plan, topology))
    text += "Reading  no node of the plan has a CPU that this process may use: workers read from afar\n";
  if (plan.num_batches() > 0) text += fmt::format("Example  {}\n", example_text(plan, planned_batches(plan)));
  if (!options.save.empty())
    text += fmt::format("Saved    {}, for the machine with fingerprint {}\n", printable(options.save),
                        plan.fingerprint());
  return text + '\n' + next_steps(options, plan, topology);
}

Plan make_plan(const Described& data, const Options& options, const Topology& topology) {
  const PlanOptions planned = plan_options_of(options, topology);
  try {
    return Plan(topology, {data.shape, data.dtype, *options.placing.batch_size}, planned);
  } catch (const PlacementError& error) {  // only where a required binding exceeds a node
    throw Failure(Exit::unmet, error.what());
  }
}

Exit make(const Options& options) {
  if (!options.placing.batch_size) throw Failure(Exit::bad_input, "--batch-size is required");
  std::error_code ignored;
  if (!options.save.empty() && std::filesystem::equivalent(options.file, options.save, ignored))
    throw Failure(Exit::bad_input,
                  fmt::format("--save {} would replace the data; name another file", options.save));
  const Described data = dataset_of(options);
  const Topology topology = load(options.topology);
  const Plan plan = make_plan(data, options, topology);
  if (!options.save.empty()) {
    OutputFile file(options.save, OutputFile::Existing::replaced);
    file.write(plan.to_json());
    file.keep();
  }
  if (options.save == "-") return Exit::done;  // nothing else goes there
  print(options.json ? plan.to_json() : text_of(options, data.name, plan, topology));
  return Exit::done;
}

}  // namespace

Subcommand plan_subcommand() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "plan",
      .help = "show which data would lie on which node, on this machine or another",
      .flags = join(
          {{{.name = "FILE", .help = "a .npy file; only its header is read", .target = &options->file},
            count_flag("--samples", options->samples, "rows, if no FILE is given"),
            count_flag("--features", options->features, "columns, if no FILE is given"),
            dtype_flag(options->dtype,
                       "element type, if no FILE is given; bf16: read a file's 2-byte elements as "
                       "bfloat16")},
           placing_flags(options->placing),
           {size_flag("--page-bytes", options->page_bytes, "plan for pages of this size, such as 2M or 1G"),
            topology_flag(options->topology),
            json_flag(options->json, "nodewise.plan/1"),
            {.name = "--save",
             .help =
                 "write nodewise.plan/1 to a file, for `run --plan`. -: to standard output, and nothing else",
             .target = &options->save,
             .type = "FILE"}}}),
      .footer = R"(Examples
  nodewise plan data.npy --batch-size 1024
  nodewise plan --samples 1000000 --features 64 --dtype f32 --batch-size 1024 --topology "numa:4 core:8 pu:1"
  nodewise plan data.npy --batch-size 1024 --nodes 0,1 --weights 2,1 --save plan.json)",
      .run = [options] { return make(*options); }};
}

}  // namespace nodewise::tools
