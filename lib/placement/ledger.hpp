// The bytes of a shard, added up by their state.
#pragma once

#include <nodewise/placement.hpp>

#include "placement/asker.hpp"
#include "placement/batch_runs.hpp"

namespace nodewise {

/// What `asker` says of the bytes of shard `index`, held against the plan; adds the same to `runs`. Called
/// for one shard after the other. Throws SystemError.
ShardPlacement account_of(const Buffer& buffer, std::size_t index, const Asker& asker, BatchRuns& runs);

}  // namespace nodewise
