// The bytes of a shard, counted by their state.
#pragma once

#include <nodewise/placement.hpp>

#include "placement/asker.hpp"
#include "placement/batch_runs.hpp"

namespace nodewise {

/// Asks `asker` about the bytes of shard number `index`, compares the answers with the plan, and adds the
/// same states to `runs`. Call it for one shard after the other. Throws SystemError.
ShardPlacement account_of(const Buffer& buffer, std::size_t index, const Asker& asker, BatchRuns& runs);

}  // namespace nodewise
