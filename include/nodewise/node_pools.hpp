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
  nearest,  ///< It takes a chunk of the nearest node that has one, and counts it as spilled.
};
NODEWISE_PUBLIC std::string_view to_string(Spill spill) noexcept;

struct NodePoolsOptions {
  PoolOptions pool = {};
  PageKind pages = PageKind::automatic;
  /// What is taken of each node at most, for its own pool and for others that spill.
  std::uint64_t limit_bytes = std::numeric_limits<std::uint64_t>::max();
  Spill spill = Spill::none;
};

/// What one node's pool holds and did.
struct NodePoolCounts {
  unsigned node = 0;
  PoolCounts pool;
  /// Of the node, in whole pages, those lent to other nodes' pools included.
  std::uint64_t mapped_bytes = 0;
  /// Where those lie now, as the kernel says.
  PlacementBytes placement;
  std::uint64_t spilled_bytes = 0;       ///< What this pool ever took of other nodes.
  std::uint64_t live_spilled_bytes = 0;  ///< What it has of them now.
};

/// A NodeResource and a PoolResource on it for each node of the team's topology. Nothing is mapped before the
/// first block is asked for. Under NODEWISE_REPORT what they hold and did is part of the report. Thread
/// class: any thread.
class NODEWISE_PUBLIC NodePools {
 public:
  /// The team is copied. Throws InvalidArgument, as PoolResource.
  explicit NodePools(const Team& team, const NodePoolsOptions& options = {});
  /// Gives all memory back: no block may be used any more.
  ~NodePools();
  NodePools(const NodePools&) = delete;
  NodePools& operator=(const NodePools&) = delete;

  const Topology& topology() const noexcept;
  /// `node`: logical index, here and below. Throws OutOfRange.
  PoolResource& on(unsigned node) const;
  /// The pool of the node on which the caller runs, or of the nearest that has memory. Cost: some tens of
  /// nanoseconds; ask once, not for each block.
  PoolResource& local() const;
  /// Index of that node.
  unsigned local_node() const;
  /// `node` itself if memory may be had there, else the nearest where it may. Throws OutOfRange.
  unsigned nearest_with_memory(unsigned node) const;
  /// PoolResource::reserve_async of that node's pool.
  [[nodiscard]] std::future<void> reserve_async(std::size_t bytes, unsigned node) const;

  /// One for each node. Asks the kernel about every page.
  std::vector<NodePoolCounts> counts() const;
  /// What was lost on the way to memory of that node. Throws OutOfRange.
  std::vector<Degradation> degradations(unsigned node) const;
  /// Schema "nodewise.pools/1", documented in docs/json.md.
  std::string to_json() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nodewise
