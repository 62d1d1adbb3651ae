// What both ways of asking hold against the plan.
#pragma once

#include <nodewise/plan.hpp>

namespace nodewise {

/// The part of a shard's bytes that lies on its own pages; the rest, before and behind, is cut.
ByteRange own_bytes(const Plan& plan, const Shard& shard);

/// Whether a page of `shard` may lie on `node` (logical index).
bool as_planned(const Plan& plan, const Shard& shard, unsigned node);

}  // namespace nodewise
