// A team of workers. A worker is pinned to one CPU and belongs to the NUMA node of that CPU. Workers are
// OpenMP threads. If there are fewer threads than workers, a thread does the work of several workers in turn.
// A plan (plan.hpp) divides a dataset into shards, one for each node, and the workers of a node read its
// shard.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// A worker, and where it is pinned.
struct Worker {
  unsigned worker = 0;  ///< Its number in the team, from 0.
  unsigned node = 0;    ///< Logical index of its node.
  unsigned cpu = 0;     ///< The kernel's number of its CPU.
  friend bool operator==(const Worker&, const Worker&) = default;
};

/// The batches of a shard that one worker reads.
struct ShardPart {
  Worker worker;
  std::size_t shard = 0;  ///< Index into Plan::shards().
  BatchRange batches;
};

/// A shard whose node has no worker, and the node whose workers read the shard instead.
struct Orphan {
  std::size_t shard = 0;
  unsigned node = 0;       ///< The node that owns the shard.
  unsigned read_from = 0;  ///< The nearest node that has workers.
};

/// Whether a worker may take over work that was assigned to another worker. The results do not depend on it.
enum class Scheduling : unsigned char {
  local,  ///< No: each worker does its own part, and no other.
  /// Yes: a worker that has finished its part helps the nearest workers, and may read from their nodes.
  stealing,
};
NODEWISE_PUBLIC std::string_view to_string(Scheduling scheduling) noexcept;

/// The number of threads that `text`, a value of OMP_NUM_THREADS, asks for: the first number of its list.
/// Empty if OpenMP ignores the value, because it is no list of numbers above 0 ("abc", "0", "2;1").
NODEWISE_PUBLIC std::optional<unsigned> omp_num_threads(std::string_view text);

struct TeamOptions {
  /// The number of workers. 0: NODEWISE_WORKERS if it is set; otherwise one for each allowed physical core,
  /// but at most OMP_NUM_THREADS, and at most the CPU quota. Workers are pinned only to CPUs that the calling
  /// thread may use. If there are more workers than CPUs, some share a CPU.
  unsigned workers = 0;
  /// A negative control for tests and benchmarks: each shard is read by the workers of another node, instead
  /// of by its usual readers. No effect if only one node has workers.
  bool displaced = false;
  /// Stealing helps if the work is unevenly spread, or if other programs use the same CPUs.
  Scheduling scheduling = Scheduling::local;
};

/// A team of pinned workers. Making a Team starts no thread, but the first Team of a process loads an OpenMP
/// runtime unless the program has one. Each call that runs work on the team forms an OpenMP region, pins its
/// threads on entry, and restores their CPU masks on exit. In a forked child, the calling thread does all the
/// work. Thread class: immutable. Several threads may call one team at the same time, but they then compete
/// for the team's CPUs; divide() makes teams with separate CPUs.
class NODEWISE_PUBLIC Team {
 public:
  /// Throws PlacementError if `topology` is not this machine. Throws SystemError if the CPU mask of the
  /// calling thread cannot be read, or contains no CPU of the topology, or if the module with the library's
  /// OpenMP regions cannot be loaded (docs/howto/hybrid-openmp.md). Throws InvalidArgument if the number of
  /// workers is above 8192, or if NODEWISE_WORKERS is not a number from 1 to 8192.
  explicit Team(const Topology& topology, const TeamOptions& options = {});

  std::span<const Worker> workers() const& noexcept;
  std::span<const Worker> workers() const&& = delete;  // the span would outlive the team
  const Topology& topology() const noexcept { return topology_; }
  bool displaced() const noexcept { return displaced_; }
  Scheduling scheduling() const noexcept { return scheduling_; }
  /// Throws PlacementError if `plan` was made for another machine. All members that take a plan do the same.
  void check_plan(const Plan& plan) const;
  /// The CPUs (the kernel's numbers) that the team may use: the allowed CPUs in the mask of the thread that
  /// made the team. An exception is made if OMP_PROC_BIND is set, because the OpenMP runtime may then have
  /// narrowed that mask to one place. If the mask equals one place, or contains all places, the team may use
  /// the allowed CPUs of all places instead. For a team from divide() or divide_by_node(): the CPUs of its
  /// workers.
  const IndexSet& usable_cpus() const noexcept { return usable_cpus_; }
  /// The numbers of the workers that read shard `shard` of `plan`; there is at least one. Throws OutOfRange.
  std::vector<unsigned> readers(const Plan& plan, std::size_t shard) const;
  /// The numbers of the workers that read data on `node` (logical index). Throws OutOfRange.
  const std::vector<unsigned>& readers_of_node(unsigned node) const;
  /// The numbers of the workers that populate the pages of `node` (logical index): its own workers or, if it
  /// has none, those of the nearest node that has workers. The same as readers_of_node(), except that
  /// TeamOptions::displaced has no effect here. Throws OutOfRange.
  const std::vector<unsigned>& home_workers(unsigned node) const;
  /// The shards of `plan` that have batches, but no worker on their node.
  std::vector<Orphan> orphans(const Plan& plan) const;

  /// Divides the batches of each shard among the workers that read it, and calls `fn` for each part, on the
  /// worker that reads the part. Parts without batches are left out. Without stealing, a worker gets at most
  /// one part of a shard. With stealing, a part is split into pieces that other workers may take;
  /// ShardPart::worker is then the worker that took the piece. A worker's calls follow one another; calls of
  /// different workers run at the same time. When all calls have ended, the first exception that `fn` threw
  /// is rethrown here.
  void for_each_shard(const Plan& plan, const std::function<void(const ShardPart&)>& fn) const;

  /// Calls `fn` once for each worker, on a thread that is pinned to that worker's CPU. This is for work that
  /// does not depend on a plan, such as preparing each worker's scratch memory. `fn` must not wait for
  /// another worker. In three cases a thread may do the work of several workers in turn: there are more
  /// workers than CPUs, the call is in a nested parallel region, or the process is a forked child. Exceptions
  /// are rethrown as in for_each_shard.
  void for_each_worker(const std::function<void(const Worker&)>& fn) const;

  /// Calls `fn` once for each node that has workers, on the first worker of that node. Under the default
  /// memory policy, a page that `fn` is the first to touch lies on that node. Otherwise as for_each_worker.
  void for_each_node(const std::function<void(const Worker&)>& fn) const;

  /// Divides this team into teams without common CPUs, one for each weight. Several threads can then work at
  /// the same time, each with one of these teams. The CPUs are divided in proportion to the weights, and each
  /// team gets at least one CPU. {1, 1} makes two teams with half of the CPUs each; {3, 1} makes one with
  /// three quarters and one with a quarter. The workers of one CPU stay together. The CPUs of each node are
  /// divided in the same proportion, so a team with enough CPUs has workers on every node. If a team has no
  /// worker on a node, the data of that node is read by the team's workers on the nearest node that has some.
  /// Scheduling and `displaced` are those of this team. Throws InvalidArgument if there are no weights, if a
  /// weight is 0, or if there are more weights than CPUs with workers.
  std::vector<Team> divide(const std::vector<unsigned>& weights) const;
  /// Makes one team for each node that has workers, in the order of the nodes: for calls that each use the
  /// data of one node.
  std::vector<Team> divide_by_node() const;

 private:
  Team(const Team& whole, std::vector<Worker> workers);
  void assign_nodes();
  Topology topology_;
  IndexSet usable_cpus_;
  std::vector<Worker> workers_;
  std::vector<std::vector<unsigned>> home_of_node_;     // by logical index of the node
  std::vector<std::vector<unsigned>> readers_of_node_;  // by logical index of the node
  bool displaced_ = false;
  Scheduling scheduling_ = Scheduling::local;
};

}  // namespace nodewise
