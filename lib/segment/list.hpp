// The list of segments, and their holders.
#pragma once

#include <functional>
#include <string>

#include <nodewise/segment.hpp>

#include "os/file.hpp"

namespace nodewise {

/// What the file of a segment says about it. Holders are not counted.
SegmentInfo info_of(const std::string& path, std::string name, const os::File& file);

/// Whether it is a regular file of this user.
bool is_own_file(const os::File& file);

/// Removes the segment, if a killed job left it: it is published and not kept, its maker is dead, and no
/// process holds it. Returns whether it did.
bool collect_leftover(const std::string& name, const std::string& path);

/// What a visit gets: the segment, an opening of its file, and whether that may write.
using SegmentVisit = std::function<void(SegmentInfo, const os::File&, bool writable)>;

/// Calls `fn` for every segment of this user whose name begins with `prefix`. Forks are paused meanwhile.
void for_each_segment(const std::string& prefix, const SegmentVisit& fn);

}  // namespace nodewise
