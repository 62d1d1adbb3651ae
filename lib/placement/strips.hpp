// The picture of a placement: one strip for each node, which shows its batches.
#pragma once

#include <string>
#include <vector>

#include <nodewise/placement.hpp>
#include <nodewise/text.hpp>

namespace nodewise {

/// What is drawn of a shard.
struct Strip {
  unsigned os_index = 0;
  BatchRange batches;
  std::uint64_t bytes = 0;
};

/// Draws one line for each strip, and a legend. `runs` cover all batches, in ascending order.
std::string draw_strips(const std::vector<Strip>& strips, Policy policy, const std::vector<BatchRun>& runs,
                        const TextStyle& style);

/// "batches 3-7", "batch 3", "no batch".
std::string batches_text(BatchRange batches);

}  // namespace nodewise
