#include <nodewise/team.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "os/os.hpp"
#include "team/openmp/openmp.hpp"
#include "team/openmp/variables.hpp"
#include "team/pinning.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

namespace nodewise {
namespace {

constexpr unsigned most_workers = 8192;

// What a thread with this mask may use. Where OMP_PROC_BIND is set, the process was given the union of the
// places. A thread whose mask is a place was narrowed by the runtime; one that may use all places and more
// was not. Any other mask was set by the user, and is kept.
IndexSet within_places(const IndexSet& mask) {
  const OpenMp& runtime = openmp();
  // An OpenMP runtime may bind a thread when that thread calls it for the first time.
  const KeptMask kept;
  if (!runtime.binds()) return mask;
  IndexSet all;
  bool narrowed = false;
  for (int place = 0; place < runtime.places(); ++place) {
    const IndexSet cpus = cpus_of_place(place);
    narrowed = narrowed || cpus == mask;
    all |= cpus;
  }
  const bool untouched = !all.empty() && (mask & all) == all;
  return narrowed || untouched ? all : mask;
}

IndexSet find_usable_cpus(const Topology& topology) {
  const auto mask = caller_mask();
  if (!mask.ok()) throw SystemError("Team: the calling thread's CPU mask cannot be read", mask.error);
  IndexSet in_cpuset;
  for (const Node& node : topology.nodes()) in_cpuset |= node.allowed_cpus;
  IndexSet usable = within_places(mask.value) & in_cpuset;
  if (usable.empty())
    throw SystemError(
        base::text("Team: none of the CPUs that the calling thread may use (", mask.value.to_string(),
                   ") is among those of the topology (", in_cpuset.to_string(), ")"),
        ENODEV);
  return usable;
}

// The CPUs to which workers are pinned, in order of preference: the first hardware threads of all cores, then
// the second ones, ...
std::vector<std::vector<unsigned>> cpus_by_rank(const Node& node, const IndexSet& usable) {
  std::vector<std::vector<unsigned>> ranks;
  const auto add_core = [&](const std::vector<unsigned>& cpus) {
    if (ranks.size() < cpus.size()) ranks.resize(cpus.size());
    for (std::size_t rank = 0; rank < cpus.size(); ++rank) ranks[rank].push_back(cpus[rank]);
  };
  IndexSet in_cores;
  for (const IndexSet& core : node.cores) {
    in_cores |= core;
    add_core((core & usable).indices());
  }
  // A CPU that belongs to no core is a core of its own.
  for (const unsigned cpu : (node.allowed_cpus & usable).indices())
    if (!in_cores.contains(cpu)) add_core({cpu});
  return ranks;
}

// The value of nodewise's own variable is checked, like those of its other variables. OpenMP checks its own.
std::optional<unsigned> nodewise_workers() {
  const char* text = std::getenv("NODEWISE_WORKERS");
  if (text == nullptr || *text == '\0') return std::nullopt;
  const std::string_view value(text);
  unsigned count = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), count);
  if (parsed.ec == std::errc() && count != 0 && count <= most_workers && std::to_string(count) == text)
    return count;
  throw InvalidArgument(base::text("NODEWISE_WORKERS is \"", text, "\"; it may be 1 to ", most_workers));
}

unsigned within_quota(unsigned cores, const Topology& topology) {
  const auto quota = topology.cpu_quota();
  if (!quota) return cores;
  return *quota >= cores ? cores : std::max(1U, static_cast<unsigned>(std::ceil(*quota)));
}

unsigned worker_count(const TeamOptions& options, unsigned cores, const Topology& topology) {
  if (options.workers > most_workers)
    throw InvalidArgument(
        base::text("Team: ", options.workers, " workers are asked for; at most ", most_workers, " work"));
  if (options.workers != 0) return options.workers;
  if (const auto asked = nodewise_workers()) return *asked;
  const unsigned here = within_quota(cores, topology);
  if (const auto asked = threads_setting()) return std::min(*asked, here);
  return here;
}

// Distributes the workers over the nodes, one at a time. All cores get a worker before a second hardware
// thread does. In the result, workers are grouped by node. If there are more workers than CPUs, it begins
// again with the first CPU.
std::vector<Worker> deal(const Topology& topology, const IndexSet& usable, const TeamOptions& options) {
  std::vector<std::vector<std::vector<unsigned>>> ranks;
  std::size_t deepest = 0;
  unsigned cores = 0;
  for (const Node& node : topology.nodes()) {
    ranks.push_back(cpus_by_rank(node, usable));
    deepest = std::max(deepest, ranks.back().size());
    if (!ranks.back().empty()) cores += static_cast<unsigned>(ranks.back().front().size());
  }
  std::vector<Worker> order;
  for (std::size_t rank = 0; rank < deepest; ++rank) {
    const auto before = order.size();
    for (std::size_t turn = 0, dealt = 1; dealt != 0; ++turn) {
      dealt = 0;
      for (const Node& node : topology.nodes()) {
        const auto& of_node = ranks[node.index];
        if (rank >= of_node.size() || turn >= of_node[rank].size()) continue;
        order.push_back({0, node.index, of_node[rank][turn]});
        ++dealt;
      }
    }
    if (order.size() == before) break;
  }
  const unsigned count = worker_count(options, cores, topology);
  std::vector<Worker> workers;
  for (unsigned i = 0; i < count; ++i) workers.push_back(order[i % order.size()]);
  std::stable_sort(workers.begin(), workers.end(),
                   [](const Worker& a, const Worker& b) { return a.node < b.node; });
  for (unsigned i = 0; i < count; ++i) workers[i].worker = i;
  return workers;
}

// Which workers read the data on each node: its own workers, or those of the nearest node that has workers.
std::vector<std::vector<unsigned>> assign_readers(const Topology& topology,
                                                  const std::vector<Worker>& workers) {
  std::vector<std::vector<unsigned>> own(topology.nodes().size());
  for (const Worker& worker : workers) own[worker.node].push_back(worker.worker);
  auto readers = own;
  for (const Node& node : topology.nodes()) {
    if (!own[node.index].empty()) continue;
    for (const unsigned near : topology.nearest(node.index)) {
      if (own[near].empty()) continue;
      readers[node.index] = own[near];
      break;
    }
  }
  return readers;
}

// The negative control: data is read by the usual readers of the next node whose readers are on another node
// than its own readers.
std::vector<std::vector<unsigned>> displace(const std::vector<std::vector<unsigned>>& readers,
                                            const std::vector<Worker>& workers) {
  auto displaced = readers;
  const auto nodes = readers.size();
  for (std::size_t node = 0; node < nodes; ++node) {
    const unsigned home = workers[readers[node].front()].node;
    for (std::size_t step = 1; step < nodes; ++step) {
      const auto& candidate = readers[(home + step) % nodes];
      if (workers[candidate.front()].node == home) continue;
      displaced[node] = candidate;
      break;
    }
  }
  return displaced;
}

}  // namespace

Team::Team(const Topology& topology, const TeamOptions& options)
    : topology_(topology), displaced_(options.displaced), scheduling_(options.scheduling) {
  if (!topology.is_this_machine())
    throw PlacementError(base::text("Team: the topology (", topology.origin(),
                                    ") describes another machine; it can be planned for, not run on"));
  usable_cpus_ = find_usable_cpus(topology);
  workers_ = deal(topology, usable_cpus_, options);
  assign_nodes();
}

Team::Team(const Team& whole, std::vector<Worker> workers)
    : topology_(whole.topology_),
      workers_(std::move(workers)),
      displaced_(whole.displaced_),
      scheduling_(whole.scheduling_) {
  for (unsigned i = 0; i < workers_.size(); ++i) {
    workers_[i].worker = i;
    usable_cpus_.insert(workers_[i].cpu);
  }
  assign_nodes();
}

void Team::assign_nodes() {
  home_of_node_ = assign_readers(topology_, workers_);
  readers_of_node_ = displaced_ ? displace(home_of_node_, workers_) : home_of_node_;
}

std::span<const Worker> Team::workers() const& noexcept {
  return workers_;
}

void Team::check_plan(const Plan& plan) const {
  if (plan.fingerprint() != topology_.fingerprint())
    throw PlacementError(base::text("Team: the plan is for machine ", plan.fingerprint(), ", the team is on ",
                                    topology_.fingerprint()));
}

std::vector<unsigned> Team::readers(const Plan& plan, std::size_t shard) const {
  check_plan(plan);
  if (shard >= plan.shards().size())
    throw OutOfRange(base::text("Team::readers: shard ", shard, " of ", plan.shards().size()));
  return readers_of_node_[plan.shards()[shard].node];
}

const std::vector<unsigned>& Team::readers_of_node(unsigned node) const {
  if (node >= readers_of_node_.size())
    throw OutOfRange(base::text("Team::readers_of_node: node ", node, " of ", readers_of_node_.size()));
  return readers_of_node_[node];
}

const std::vector<unsigned>& Team::home_workers(unsigned node) const {
  if (node >= home_of_node_.size())
    throw OutOfRange(base::text("Team::home_workers: node ", node, " of ", home_of_node_.size()));
  return home_of_node_[node];
}

std::vector<Orphan> Team::orphans(const Plan& plan) const {
  std::vector<Orphan> orphans;
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const unsigned node = plan.shards()[shard].node;
    const bool has_worker = std::any_of(workers_.begin(), workers_.end(),
                                        [node](const Worker& worker) { return worker.node == node; });
    if (has_worker || plan.shards()[shard].batches.count() == 0) continue;
    orphans.push_back({shard, node, workers_[readers(plan, shard).front()].node});
  }
  return orphans;
}

std::string_view to_string(Scheduling scheduling) noexcept {
  switch (scheduling) {
    case Scheduling::local:
      return "local";
    case Scheduling::stealing:
      return "stealing";
  }
  return {};
}

void Team::for_each_shard(const Plan& plan, const std::function<void(const ShardPart&)>& fn) const {
  WorkShares shares(*this);
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const BatchRange batches = plan.shards()[shard].batches;
    const auto shared_by = readers(plan, shard);
    for (std::size_t i = 0; i < shared_by.size(); ++i) {
      const auto part = base::split(batches.count(), shared_by.size(), i);
      if (part.size() == 0) continue;
      const std::uint64_t piece = std::max<std::uint64_t>(part.size() / pieces_to_steal, 1);
      shares.give(shared_by[i], shard, {batches.start + part.begin, batches.start + part.end}, piece);
    }
  }
  run_team(*this, [&](unsigned worker, bool own_threads) {
    while (const auto piece = shares.take(worker, own_threads))
      fn({workers_[worker], piece->group, {piece->units.begin, piece->units.end}});
  });
}

void Team::for_each_worker(const std::function<void(const Worker&)>& fn) const {
  run_team(*this, [&](unsigned worker, bool) { fn(workers_[worker]); });
}

void Team::for_each_node(const std::function<void(const Worker&)>& fn) const {
  for_each_worker([&](const Worker& worker) {
    const bool first_of_node = worker.worker == 0 || workers_[worker.worker - 1].node != worker.node;
    if (first_of_node) fn(worker);
  });
}

}  // namespace nodewise
