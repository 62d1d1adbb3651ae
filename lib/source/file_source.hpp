// How a segment says which file it was read from.
#pragma once

#include <string>

#include <nodewise/segment.hpp>

#include "os/os.hpp"

namespace nodewise::source {

inline SegmentSource file_source(const std::string& real_path, const os::FileStatus& status) {
  return {real_path, status.bytes, status.modified_ns, status.device, status.inode};
}

}  // namespace nodewise::source
