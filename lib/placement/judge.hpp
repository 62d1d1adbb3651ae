// The comparison with the plan that all rungs of asking share.
#pragma once

#include <optional>

#include <nodewise/placement.hpp>

namespace nodewise {

/// The logical index of a kernel's node; nothing for page_absent, page_unknown and nodes beyond the topology.
std::optional<unsigned> node_of(const Buffer& buffer, int state);

/// The part of a shard's bytes that lies on its own pages; the rest, before and behind, is cut.
ByteRange own_bytes(const Plan& plan, const Shard& shard);

/// Judges bytes of `shard` on its own pages, for which the kernel answers `state` (a node's number,
/// page_absent or page_unknown): local, misplaced, absent or unknown.
BatchRun::State judge(const Buffer& buffer, const Shard& shard, int state);

/// That of `bytes` which counts those in such a state.
std::uint64_t& bytes_in(PlacementBytes& bytes, BatchRun::State state);

}  // namespace nodewise
