// The first touch of a buffer's pages: each node's workers populate, and fill, what lies on their node.
#pragma once

#include <vector>

#include "buffer/mapping.hpp"

namespace nodewise {

/// Makes every page of `memory` present, and has `fill`, if given, fill it, by all workers at once. `rung`
/// says how the pages find their node: by policies that bind_memory() set, or by the first touch itself. What
/// it became: none where the workers could not be pinned, so that first touch placed nothing. Throws
/// SystemError where there is no more memory, and what `fill` throws.
PlacingRung populate(const Plan& plan, const Team& team, const MappedMemory& memory, PlacingRung rung,
                     const Buffer::Fill& fill, std::vector<Degradation>& degradations);

}  // namespace nodewise
