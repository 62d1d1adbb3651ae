// A pool of placed memory for each node.
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
  nearest,  ///< It takes a chunk from the nearest node that has room, and counts it as spilled.
};
NODEWISE_PUBLIC std::string_view to_string(Spill spill) noexcept;

struct NodePoolsOptions {
  PoolOptions pool = {};
  PageKind pages = PageKind::automatic;
  /// The most bytes taken from each node, for its own pool and for pools that spill to it.
  std::uint64_t limit_bytes = std::numeric_limits<std::uint64_t>::max();
  Spill spill = Spill::none;
};

/// What one node's pool holds, and what it has done.
struct NodePoolCounts {
  unsigned node = 0;
  PoolCounts pool;
  /// Bytes mapped on the node, in whole pages, those lent to other nodes' pools included.
  std::uint64_t mapped_bytes = 0;
  /// Where those lie now, as the kernel says.
  PlacementBytes placement;
  std::uint64_t spilled_bytes = 0;       ///< Bytes that this pool ever took from other nodes.
  std::uint64_t live_spilled_bytes = 0;  ///< Bytes that it has from other nodes now.
};

/// A NodeResource, and a PoolResource on it, for each node of the team's topology. Nothing is mapped before
/// the first allocation. With NODEWISE_REPORT the counts of the pools are part of the report. Thread class:
/// any thread.
class NODEWISE_PUBLIC NodePools {
 public:
  /// The team is copied. Throws InvalidArgument, as PoolResource.
  explicit NodePools(const Team& team, const NodePoolsOptions& options = {});
  /// Gives all memory back. Precondition: no block is used any more.
  ~NodePools();
  NodePools(const NodePools&) = delete;
  NodePools& operator=(const NodePools&) = delete;

  const Topology& topology() const noexcept;
  /// `node`: logical index, here and below. Throws OutOfRange.
  PoolResource& on(unsigned node) const;
  /// The pool of the node on which the calling thread runs, or of the nearest node that has memory. Cost:
  /// some tens of nanoseconds; call once, not for each block.
  PoolResource& local() const;
  /// Index of that node.
  unsigned local_node() const;
  /// `node` itself if it has memory that the process may use, else the nearest node that has. Throws
  /// OutOfRange.
  unsigned nearest_with_memory(unsigned node) const;
  /// Calls PoolResource::reserve_async of that node's pool.
  [[nodiscard]] std::future<void> reserve_async(std::size_t bytes, unsigned node) const;

  /// The counts of each node's pool. Cost: asks the kernel about every page.
  std::vector<NodePoolCounts> counts() const;
  /// The degradations of that node's memory. Throws OutOfRange.
  std::vector<Degradation> degradations(unsigned node) const;
  /// Schema "nodewise.pools/1", documented in docs/json.md.
  std::string to_json() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nodewise
