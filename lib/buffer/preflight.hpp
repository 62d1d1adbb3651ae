// Before memory is touched: is there room? The kernel's own answer to "no" can be SIGKILL.
#pragma once

#include <optional>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// What populating `plan` with pages of `kind` would meet. Under Binding::required a node without room throws
/// PlacementError; under `preferred` it is returned, as node_full or huge_pages_short. A machine or
/// control group without room throws under both, since going on would end in the kernel killing the process.
std::vector<Degradation> preflight(const Plan& plan, const Topology& topology, PageKind kind);

/// nodes_unseen: the kernel grants memory on nodes that the topology does not show, as where /sys is not
/// mounted and the whole machine looks like one node. Nothing where the kernel does not say.
std::optional<Degradation> unseen_nodes(const Topology& topology);

}  // namespace nodewise
