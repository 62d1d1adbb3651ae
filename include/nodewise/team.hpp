// The pinned OpenMP workers, grouped by node.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// A worker and where it is pinned.
struct Worker {
  unsigned worker = 0;  ///< Its number in the team.
  unsigned node = 0;    ///< Logical index of its node.
  unsigned cpu = 0;     ///< The kernel's number of its CPU.
  friend bool operator==(const Worker&, const Worker&) = default;
};

/// The part of a shard that one worker reads.
struct ShardPart {
  Worker worker;
  std::size_t shard = 0;  ///< Index into Plan::shards().
  BatchRange batches;
};

/// A shard whose node has no worker, and the node whose workers read it instead.
struct Orphan {
  std::size_t shard = 0;
  unsigned node = 0;       ///< Where the shard lies.
  unsigned read_from = 0;  ///< The nearest node that has workers.
};

/// Whether a worker may take over work that was assigned to another worker. The results are the same either
/// way.
enum class Scheduling : unsigned char {
  local,     ///< No: each worker does all of its own part.
  stealing,  ///< Yes: a worker that has nothing left helps the nearest ones, and may read from their nodes.
};
NODEWISE_PUBLIC std::string_view to_string(Scheduling scheduling) noexcept;

struct TeamOptions {
  /// Number of workers; 0: NODEWISE_WORKERS, else one per allowed physical core, but no more than
  /// OMP_NUM_THREADS and the CPU quota allow. Workers are pinned only to CPUs that the caller may run on;
  /// where there are more workers than CPUs, they share CPUs.
  unsigned workers = 0;
  /// Negative control for tests and benchmarks: every shard is read by the workers of the next node.
  bool displaced = false;
  /// Stealing is for unevenly spread work, and for CPUs that other programs use too.
  Scheduling scheduling = Scheduling::local;
};

/// A team of pinned workers. Making a Team starts no thread; each call forms an OpenMP region, pins its
/// threads on entry and gives their masks back on exit. In a forked child, calls run on the calling thread.
/// Thread class: immutable. Any thread may call. Simultaneous calls share the team's CPUs; teams made by one
/// divide() share none.
class NODEWISE_PUBLIC Team {
 public:
  /// Precondition: `topology` is this machine (a foreign one throws PlacementError). Throws SystemError where
  /// the caller's own affinity mask cannot be read, or holds no CPU of the topology.
  explicit Team(const Topology& topology, const TeamOptions& options = {});

  std::span<const Worker> workers() const& noexcept;
  std::span<const Worker> workers() const&& = delete;  // it would outlive the team
  const Topology& topology() const noexcept { return topology_; }
  bool displaced() const noexcept { return displaced_; }
  Scheduling scheduling() const noexcept { return scheduling_; }
  /// Throws PlacementError where `plan` was made for another machine.
  void check_plan(const Plan& plan) const;
  /// The CPUs (kernel numbers) that the team may use: the allowed CPUs that the constructing thread could run
  /// on (under OMP_PROC_BIND the union of the places). For a team made by divide() or divide_by_node(): the
  /// CPUs of its workers.
  const IndexSet& usable_cpus() const noexcept { return usable_cpus_; }
  /// The workers (by number) that read `shard` of `plan`; at least one. Throws OutOfRange; here and below a
  /// plan for another machine throws PlacementError.
  std::vector<unsigned> readers(const Plan& plan, std::size_t shard) const;
  /// The workers (by number) that read data on a node (logical index). Throws OutOfRange.
  const std::vector<unsigned>& readers_of_node(unsigned node) const;
  /// The workers on a node (logical index) or, if it has none, those on the nearest node that has some. They
  /// populate its pages, even in a displaced team.
  const std::vector<unsigned>& home_workers(unsigned node) const;
  std::vector<Orphan> orphans(const Plan& plan) const;

  /// Calls `fn` for every part of every shard, each on the worker that the part names; a part with no batch
  /// is left out. Without stealing, each reader of a shard gets at most one part of it. With stealing that
  /// part is split, and other workers may take pieces; ShardPart::worker is the worker that took the piece.
  /// The parts of one worker run one after the other. `fn` is called from several threads at once; what it
  /// throws is thrown again here, after all have finished (the first one, if several).
  void for_each_shard(const Plan& plan, const std::function<void(const ShardPart&)>& fn) const;

  /// Calls `fn` once for each worker, on the thread that is pinned to that worker's CPU: for work that no
  /// plan divides, such as preparing each worker's scratch memory. Workers that share a thread (more workers
  /// than CPUs, a nested region, a forked child) are called one after the other: `fn` must not wait for
  /// another worker. Exceptions as for_each_shard.
  void for_each_worker(const std::function<void(const Worker&)>& fn) const;

  /// Calls `fn` once for each node that has workers, on the first worker of that node. Under the default
  /// memory policy, pages that `fn` is the first to touch lie on `Worker::node`. Otherwise as
  /// for_each_worker.
  void for_each_node(const std::function<void(const Worker&)>& fn) const;

  /// Divides this team into teams with disjoint CPUs, so that several threads can each call one at the same
  /// time. The CPUs are divided in proportion to `weights`, at least one for each part; all workers pinned to
  /// a CPU go to the part that gets the CPU: {1, 1} halves the team, {3, 1} leaves a quarter for other work.
  /// The CPUs of each node are divided in the same proportion, so a part that has enough CPUs has workers on
  /// every node. If a part has no worker on a node, the part's workers on the nearest node read the data
  /// there. Scheduling and `displaced` are this team's. Throws InvalidArgument where `weights` is empty or
  /// one of them is 0, and where there are more of them than CPUs with workers.
  std::vector<Team> divide(const std::vector<unsigned>& weights) const;
  /// A team for each node that has workers, in the order of the nodes: for calls on data of one node each.
  std::vector<Team> divide_by_node() const;

 private:
  Team(const Team& whole, std::vector<Worker> workers);
  void assign_nodes();
  Topology topology_;
  IndexSet usable_cpus_;
  std::vector<Worker> workers_;
  std::vector<std::vector<unsigned>> home_of_node_;     // by logical index of the node
  std::vector<std::vector<unsigned>> readers_of_node_;  // the same, unless displaced
  bool displaced_ = false;
  Scheduling scheduling_ = Scheduling::local;
};

}  // namespace nodewise
