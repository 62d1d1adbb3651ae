// The process that made a segment, as its header names it.
#pragma once

#include <nodewise/segment.hpp>

namespace nodewise {

/// This process, as a header describes it.
SegmentOwner this_process();

}  // namespace nodewise
