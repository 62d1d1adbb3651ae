// Tells the kernel by mbind from which node to take the pages of a shard, and handles its refusals.
#pragma once

#include <vector>

#include <nodewise/buffer.hpp>

namespace nodewise {

/// Binds the untouched memory of `plan` at `data`: the pages of each shard prefer the node of the shard, or
/// all pages are interleaved. Returns how the pages will be placed: by these policies, or by first touch if
/// the kernel refuses them. Throws PlacementError if interleaving is required and refused.
PlacingRung bind_memory(const Plan& plan, std::byte* data, std::vector<Degradation>& degradations);

/// The shards that are larger than the unused memory of their node, without counting the page cache. The
/// kernel may place their pages on another node, although the page cache could have made room.
std::vector<std::size_t> tight_shards(const Plan& plan, const Topology& topology);

/// Call this when every page is populated. Pages of `tight` shards that lie elsewhere are moved to their
/// node, and under Binding::required the policy becomes strict. It is not strict before, because the kernel
/// would then kill the process if a node filled up between preflight and populating.
void seal_binding(const Plan& plan, std::byte* data, const std::vector<std::size_t>& tight,
                  std::vector<Degradation>& degradations);

}  // namespace nodewise
