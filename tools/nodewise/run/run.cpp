// nodewise run: the main job. Load, place, compute per-batch means, verify.
#include "run/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

#include <fmt/core.h>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>

#include "command.hpp"
#include "parts/describe.hpp"
#include "parts/flags.hpp"
#include "parts/interrupt.hpp"
#include "parts/progress.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

struct Options {
  std::string file;
  std::optional<DType> dtype;
  PlacingFlags placing;
  std::optional<std::uint64_t> workers;
  std::string plan_file;
  std::optional<double> require_local;
  std::optional<double> hold_seconds;
  std::optional<std::string> segment;
  bool keep = false;
  bool json = false;
  bool no_means = false;
  bool negative_control = false;
};

void check(const Options& options) {
  if (options.plan_file.empty() && !options.placing.batch_size)
    throw Failure(Exit::bad_input, "--batch-size is required, unless --plan gives it");
  if (options.require_local && options.placing.options.policy == Policy::interleaved)
    throw Failure(Exit::bad_input,
                  "--require-local needs --policy blocked: --policy interleaved promises no locality");
}

// The seconds that `phase` takes.
template <class Phase>
double timed(const Phase& phase) {
  const auto begin = std::chrono::steady_clock::now();
  phase();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

LoaderOptions loader_options(const Options& options, const Topology& topology) {
  LoaderOptions loader = resolve(options.placing, topology);
  loader.team.displaced = options.negative_control;
  loader.stop = stop_on_interrupt();
  if (options.segment) loader.segment = SegmentOptions{.name = *options.segment, .keep = options.keep};
  if (options.workers) {
    constexpr std::uint64_t most = 1U << 20;  // the team has a limit of its own, and says so
    loader.team.workers = static_cast<unsigned>(std::min(*options.workers, most));
    if (loader.team.workers == 0)
      throw Failure(Exit::bad_input, "--workers 0: at least one worker is needed");
  }
  return loader;
}

Plan plan_of(const std::string& path, const std::string& text, const Topology& topology) {
  try {
    return Plan::from_json(text, topology);
  } catch (const FormatError& error) {
    throw Failure(Exit::bad_input,
                  fmt::format("--plan {} is not a saved plan: {}", path, without_call(error.what())));
  }
}

Plan saved_plan(const Options& options, const Source& data, const Topology& topology) {
  const auto text = read_text(options.plan_file);
  if (!text.ok())
    throw Failure(exit_of_errno(text.error), fmt::format("--plan {}: cannot be read: {}", options.plan_file,
                                                         read_error_text(text.error)));
  Plan plan = plan_of(options.plan_file, text.value, topology);
  if (plan.dataset().shape() == data.shape() && plan.dataset().dtype() == data.dtype()) return plan;
  throw Failure(Exit::bad_input,
                fmt::format("--plan {} is for {} x {} of {}, but {} holds {} x {} of {}", options.plan_file,
                            plan.dataset().shape().samples, plan.dataset().shape().features,
                            dtype_name(plan.dataset().dtype()), options.file, data.shape().samples,
                            data.shape().features, dtype_name(data.dtype())));
}

// Places memory and reads the file into it. Where the binding is required, failing is an unmet requirement.
BatchLoader place(const Options& options, const Source& data, const Topology& topology) {
  LoaderOptions wanted = loader_options(options, topology);
  std::optional<Plan> saved;
  if (!options.plan_file.empty()) {
    saved = saved_plan(options, data, topology);
    // A plan for larger pages than the base page is one for a pool's pages.
    if (saved->page_bytes() != topology.page_bytes()) {
      if (wanted.pages && *wanted.pages != PageKind::hugetlb)
        throw Failure(Exit::bad_input, "--plan is for the pages of a hugetlb pool; leave out --pages");
      wanted.pages = PageKind::hugetlb;
    }
    if (saved->policy() == Policy::interleaved && options.require_local)
      throw Failure(Exit::bad_input,
                    "--require-local needs a blocked plan: an interleaved one promises no locality");
  }
  const Binding binding = saved ? saved->binding() : chosen_binding(wanted);
  try {
    const Progress progress("placing and reading",
                            data.shape().samples * data.shape().features * dtype_bytes(data.dtype()),
                            [before = bytes_read_so_far()] { return bytes_read_so_far() - before; });
    return saved ? load(data, *saved, wanted) : load(data, *options.placing.batch_size, wanted);
  } catch (const PlacementError& error) {
    throw Failure(binding == Binding::required ? Exit::unmet : Exit::machine_cannot, error.what());
  } catch (const SystemError& error) {
    if (options.segment && error.code() == EEXIST) throw Failure(Exit::bad_input, without_call(error.what()));
    // Memory that the system lacks, such as a huge page in the pool. A file that cannot be read is none.
    const bool no_memory = error.code() == ENOMEM;
    throw Failure(no_memory && binding == Binding::required ? Exit::unmet : Exit::machine_cannot,
                  error.what());
  }
}

// Where all workers are on one node, none can be put on the wrong one.
void check_displaced(const Team& team) {
  for (const Worker& worker : team.workers())
    if (worker.node != team.workers().front().node) return;
  throw Failure(Exit::machine_cannot,
                "--negative-control needs workers on two nodes or more, and here all are on one");
}

void compute(const Options& options, RunResult& result) {
  if (options.no_means) {
    for (const Worker& worker : result.loader->team().workers()) result.reads.push_back({worker, 0, 0, 0});
    return;
  }
  const Progress progress("computing means", 0, [] { return std::uint64_t{0}; });
  result.means = result.loader->compute_means();
}

// Waits so that others can look, or meddle, before the pages are verified.
void hold(double seconds, const BatchLoader& loader) {
  const std::byte* data = loader.buffer().data();
  const auto milliseconds = static_cast<std::uint64_t>(seconds * 1000);
  const auto segment = loader.segment();
  const std::string look = segment ? "--segment " + segment->name() : fmt::format("--pid {}", ::getpid());
  complain(fmt::format("nodewise run: holding for {} s; pid {}; data at {}-{}; look with: {} placement {}",
                       seconds, ::getpid(), static_cast<const void*>(data),
                       static_cast<const void*>(data + loader.dataset().total_bytes()), typed_words().front(),
                       look));
  const auto begin = std::chrono::steady_clock::now();
  const Progress progress("holding", milliseconds, [begin] {
    const auto since = std::chrono::steady_clock::now() - begin;
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
  });
  const auto end = begin + std::chrono::milliseconds(milliseconds);
  while (std::chrono::steady_clock::now() < end) {
    check_interrupt();
    constexpr auto nap = std::chrono::milliseconds(50);
    std::this_thread::sleep_until(std::min(end, std::chrono::steady_clock::now() + nap));
  }
}

void verify(RunResult& result) {
  const Progress progress("asking where each page is", 0, [] { return std::uint64_t{0}; });
  result.placement = result.loader->placement();
}

Exit judge(const Options& options, const Placement& placement) {
  if (!options.require_local) return Exit::done;
  try {
    placement.require(*options.require_local);
  } catch (const PlacementError& error) {
    // Not being able to ask is the machine's fault, lying elsewhere is the placement's.
    throw Failure(placement.local_fraction() ? Exit::unmet : Exit::machine_cannot, error.what());
  }
  return Exit::done;
}

Exit run(const Options& options) {
  check(options);
  const Source data = open_data(options.file, options.dtype);
  RunResult result;
  result.path = options.file;
  result.negative_control = options.negative_control;
  result.nodes_named = options.placing.nodes.has_value();
  result.replayed = !options.plan_file.empty();
  result.judged = options.require_local.has_value();
  std::optional<Topology> topology;
  result.timing.topology_seconds = timed([&] { topology = Topology::this_machine(); });
  std::optional<BatchLoader> loader;
  result.timing.place_seconds = timed([&] { loader = place(options, data, *topology); });
  result.loader = &*loader;
  check_interrupt();
  if (options.negative_control) check_displaced(loader->team());
  result.timing.means_seconds = timed([&] { compute(options, result); });
  check_interrupt();
  result.orphans = loader->team().orphans(loader->plan());
  if (result.means) result.reads = worker_reads(loader->buffer(), *result.means);
  if (options.hold_seconds) hold(*options.hold_seconds, *loader);
  result.timing.verify_seconds = timed([&] { verify(result); });
  check_interrupt();
  print(options.json ? run_json(result) : run_text(result));
  return judge(options, *result.placement);
}

Flags own_flags(Options& options) {
  constexpr double longest_hold = 1e6;
  return {
      {.name = "--plan",  // a saved plan has said all this already
       .help = "use a plan that `plan --save` wrote",
       .target = &options.plan_file,
       .type = "FILE",
       .excludes = {"--batch-size", "--policy", "--weights", "--nodes", "--binding"}},
      dtype_flag(options.dtype, "bf16: read the file's 2-byte elements as bfloat16, which .npy cannot name"),
      number_flag("--require-local", options.require_local, 0, 1,
                  "exit with 1 unless at least this fraction of the bytes is local, such as 0.99"),
      number_flag("--hold", options.hold_seconds, 0, longest_hold,
                  "seconds to wait between computing and verifying, so that you can look at the process"),
      {.name = "--segment",
       .help = "place the dataset in shared memory of this name (a segment), which other processes can open "
               "until the run ends",
       .target = &options.segment,
       .type = "NAME"},
      {.name = "--keep",
       .help = "do not remove the segment when the run ends; `nodewise segments remove` removes it",
       .target = &options.keep,
       .needs = "--segment"},
      {.name = "--no-means", .help = "only place and verify", .target = &options.no_means},
      {.name = "--negative-control",
       .help = "let workers of the wrong node read all data, to see how bad placement looks",
       .target = &options.negative_control},
      // Not shown: for users who know it from `plan --topology`.
      refused_flag(
          "--topology",
          "run works only on this machine; `nodewise plan --topology` shows where data would lie on another"),
      json_flag(options.json, "nodewise.run/1"),
  };
}

}  // namespace

Subcommand run_subcommand() {
  const auto options = std::make_shared<Options>();
  return {
      .name = "run",
      .help =
          "the main job: load a file, place it on the nodes, compute batch means, and verify the placement",
      .flags =
          join({{{.name = "FILE", .help = "a .npy file", .target = &options->file, .required = true}},
                placing_flags(options->placing),
                {count_flag("--workers", options->workers,
                            "number of pinned workers; default: one for each allowed core, but no more than "
                            "OMP_NUM_THREADS and the CPU quota allow. Also NODEWISE_WORKERS"),
                 scheduling_flag(options->placing.options)},
                own_flags(*options)}),
      .footer = R"(Examples
  nodewise run data.npy --batch-size 1024
  nodewise run data.npy --batch-size 1024 --require-local 0.99 --json
  nodewise run data.npy --batch-size 1024 --nodes 0,1 --weights 2,1
  nodewise run data.npy --plan plan.json --hold 60
  nodewise run data.npy --batch-size 1024 --segment train --keep)",
      .run = [options] { return run(*options); }};
}

}  // namespace nodewise::tools
