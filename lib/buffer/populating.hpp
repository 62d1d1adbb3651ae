// The first touch of a buffer's pages: the workers of each node populate, and fill, the pages of their node.
#pragma once

#include <vector>

#include <nodewise/error.hpp>

#include "buffer/mapping.hpp"

namespace nodewise {

/// The system had no more memory while pages were populated.
class Unpopulated : public SystemError {
 public:
  using SystemError::SystemError;
};

/// All workers together make every page of `memory` present, and fill it with `fill`, if given. `rung` says
/// how the pages get to their nodes: by the policies that bind_memory() set, or by first touch. Returns the
/// rung that really worked, which is `none` if first touch was needed and the workers could not be pinned.
/// Throws Unpopulated if there is no more memory, and what `fill` throws.
PlacingRung populate(const Plan& plan, const Team& team, const MappedMemory& memory, PlacingRung rung,
                     const Buffer::Fill& fill, std::vector<Degradation>& degradations);

}  // namespace nodewise
