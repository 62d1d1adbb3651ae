// Before memory is touched: is there room? The kernel's own answer to "no" can be SIGKILL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// Free and cheaply reclaimable bytes of a node now; nothing where the system does not say.
std::optional<std::uint64_t> free_bytes_now(const Node& node);
/// Those of them that nothing uses, not even the page cache, and that the kernel gives without turning to
/// another node first.
std::optional<std::uint64_t> unused_bytes_now(const Node& node);

/// What the whole machine, the allowed nodes or the control groups above this process still grant, and which
/// of them says so.
struct Allowance {
  std::uint64_t bytes = 0;
  std::string from;
};
std::optional<Allowance> allowance_now(const Topology& topology);

/// Free bytes in a node's pool of pages of `page_bytes` now; nothing where there is no such pool.
std::optional<std::uint64_t> free_pool_bytes_now(const Node& node, std::size_t page_bytes);

/// What populating `plan` with pages of `kind` would meet. Under Binding::required a node without room throws
/// PlacementError; under `preferred` it is returned, as node_full or huge_pages_short. A machine or
/// control group without room throws under both, since going on would end in the kernel killing the process.
std::vector<Degradation> preflight(const Plan& plan, const Topology& topology, PageKind kind);

/// nodes_unseen: the kernel grants memory on nodes that the topology does not show, as where /sys is not
/// mounted and the whole machine looks like one node. Nothing where the kernel does not say.
std::optional<Degradation> unseen_nodes(const Topology& topology);

}  // namespace nodewise
