// Checks before memory is touched that there is room, because the kernel may kill a process that touches too
// much.
#pragma once

#include <optional>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/topology.hpp>

namespace nodewise {

/// Checks whether there is room to populate `plan` with pages of `kind`. If a node has no room,
/// Binding::required throws PlacementError; `preferred` returns a degradation (node_full or
/// huge_pages_short). If the machine or a control group has no room, both throw, because the kernel would
/// kill the process later.
std::vector<Degradation> preflight(const Plan& plan, const Topology& topology, PageKind kind);

/// The degradation huge_pages_short, if the limits of control groups leave less huge pages than `plan` needs.
/// Then none are mapped, because the limit would only be noticed when the pages are populated. Under
/// Binding::required it throws PlacementError.
std::optional<Degradation> huge_pages_limited(const Plan& plan);

/// The degradation policy_overridden, if the calling thread has a memory policy (numactl, set_mempolicy) that
/// `plan` does not follow. `rung` says which of the two decides where pages lie.
std::optional<Degradation> overridden_policy(const Plan& plan, PlacingRung rung);

/// The degradation no_local_memory, if no node has both CPUs and memory that this process may use. Then all
/// workers read from other nodes, wherever data lies.
std::optional<Degradation> no_local_memory(const Topology& topology);

/// The degradation nodes_unseen, if the kernel grants memory on nodes that the topology does not show. This
/// happens where /sys is not mounted, so that the machine looks like one node. Empty if the kernel does not
/// answer.
std::optional<Degradation> unseen_nodes(const Topology& topology);

}  // namespace nodewise
