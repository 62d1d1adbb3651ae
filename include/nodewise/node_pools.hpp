// A pool of memory for each NUMA node, as std::pmr::memory_resource.
//
//     NodePools pools(team);
//     auto ready = pools.reserve_async(1ull << 30, 0);     // populates in the background
//     std::pmr::vector<float> scratch(1 << 20, &pools.local());
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>
#include <nodewise/node_resource.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

/// What a node's pool does when its node has no more memory.
enum class Spill : unsigned char {
  none,     ///< It throws OutOfMemory.
  nearest,  ///< It takes a chunk from the nearest node that has room, and counts these bytes as spilled.
};
NODEWISE_PUBLIC std::string_view to_string(Spill spill) noexcept;

struct NodePoolsOptions {
  PoolOptions pool = {};
  PageKind pages = PageKind::automatic;
  /// The most bytes that are taken from each node, for its own pool and for pools that spill to it.
  std::uint64_t limit_bytes = std::numeric_limits<std::uint64_t>::max();
  Spill spill = Spill::none;
};

/// What the pool of one node holds, and what it has done.
struct NodePoolCounts {
  unsigned node = 0;
  PoolCounts pool;
  /// The bytes that are mapped on the node, in whole pages, including those lent to pools of other nodes.
  std::uint64_t mapped_bytes = 0;
  /// Where these bytes lie now, as the kernel says.
  PlacementBytes placement;
  std::uint64_t spilled_bytes = 0;       ///< All bytes that this pool ever took from other nodes.
  std::uint64_t live_spilled_bytes = 0;  ///< The bytes that this pool has from other nodes now.
};

/// A pool for each node of the team's topology: a NodeResource with a PoolResource above it. Nothing is
/// mapped before the first allocation. If NODEWISE_REPORT is set, the counts are part of the report. Thread
/// class: any thread.
class NODEWISE_PUBLIC NodePools {
 public:
  /// Copies the team. Throws InvalidArgument as PoolResource does.
  explicit NodePools(const Team& team, const NodePoolsOptions& options = {});
  /// Gives all memory back. Precondition: no block is in use.
  ~NodePools();
  NodePools(const NodePools&) = delete;
  NodePools& operator=(const NodePools&) = delete;

  const Topology& topology() const noexcept;
  /// The pool of `node` (logical index). Throws OutOfRange.
  PoolResource& on(unsigned node) const;
  /// The pool of the node on which the calling thread runs; if that node has no memory, the pool of the
  /// nearest node that has memory. Cost: some tens of nanoseconds, so call this once, and not for each block.
  PoolResource& local() const;
  /// The logical index of the node whose pool local() returns.
  unsigned local_node() const;
  /// `node` itself if it has memory that this process may use, else the nearest node that has such memory.
  /// Throws OutOfRange.
  unsigned nearest_with_memory(unsigned node) const;
  /// Calls reserve_async(bytes) of the pool of `node`. Throws OutOfRange.
  [[nodiscard]] std::future<void> reserve_async(std::size_t bytes, unsigned node) const;

  /// The counts of all pools, in the order of nodes. Cost: the kernel is asked about every page.
  std::vector<NodePoolCounts> counts() const;
  /// The degradations of the memory of `node`. Throws OutOfRange.
  std::vector<Degradation> degradations(unsigned node) const;
  /// JSON with the schema "nodewise.pools/1" (docs/json.md).
  std::string to_json() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nodewise
