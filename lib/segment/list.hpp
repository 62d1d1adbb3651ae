// The list of segments, and their holders.
#pragma once

#include <functional>
#include <string>

#include <nodewise/segment.hpp>

#include "os/file.hpp"

namespace nodewise {

/// What the file of a segment says about it. Holders are not counted.
SegmentInfo info_of(const std::string& path, std::string name, const os::File& file);

/// Calls `fn` for every segment of this user, with an opening of its file for reading and writing.
void for_each_segment(const std::function<void(SegmentInfo, const os::File&)>& fn);

}  // namespace nodewise
