// Who made a segment, as its header says it.
#pragma once

#include <nodewise/segment.hpp>

namespace nodewise {

/// What this process says of itself in a header.
SegmentOwner this_process();

}  // namespace nodewise
