// Tells the kernel from which node to take a shard's pages: mbind, and what happens where the kernel refuses
// it.
#pragma once

#include <vector>

#include <nodewise/buffer.hpp>

namespace nodewise {

/// Binds the untouched memory of `plan` at `data`: each shard's pages to its node, preferred, or all of them
/// interleaved. Returns how the pages are to be placed: by these policies, or by first touch where the kernel
/// refuses them. Throws PlacementError where a required interleaving is refused.
PlacingRung bind_memory(const Plan& plan, std::byte* data, std::vector<Degradation>& degradations);

/// The shards that are larger than what is free of their node, page cache aside: the kernel may place their
/// pages on another node although the page cache could have made room.
std::vector<std::size_t> tight_shards(const Plan& plan, const Topology& topology);

/// Mends and seals, now that every page is there: `tight` shards get their pages back to their node, and
/// under Binding::required the policy becomes strict. A strict policy any earlier would have ended the
/// process on a node that filled up between preflight and touch.
void seal_binding(const Plan& plan, std::byte* data, const std::vector<std::size_t>& tight,
                  std::vector<Degradation>& degradations);

}  // namespace nodewise
