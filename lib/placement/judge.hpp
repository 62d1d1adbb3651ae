// The comparison with the plan, which is the same for all methods of asking.
#pragma once

#include <optional>

#include <nodewise/placement.hpp>

namespace nodewise {

/// The logical index of a node, from its number in the kernel. Empty for page_absent, page_unknown and nodes
/// that the topology does not have.
std::optional<unsigned> node_of(const Buffer& buffer, int state);

/// The part of a shard's bytes that lies on its own pages. The bytes before and behind it are cut.
ByteRange own_bytes(const Plan& plan, const Shard& shard);

/// The state of bytes of `shard` that lie on its own pages: local (under the policy `interleaved`,
/// on_target), misplaced, absent or unknown. `state` is the kernel's answer for them: the number of a node,
/// page_absent or page_unknown.
BatchRun::State judge(const Buffer& buffer, const Shard& shard, int state);

/// The member of `bytes` that counts bytes in this state.
std::uint64_t& bytes_in(PlacementBytes& bytes, BatchRun::State state);

}  // namespace nodewise
