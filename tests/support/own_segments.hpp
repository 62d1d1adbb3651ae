// The program's own segments, without those that the user and other tests have in the same folder.
#pragma once

#include <utility>
#include <vector>

#include <nodewise/segment.hpp>

#include "support/own_names.hpp"

namespace nodewise::test {

inline std::vector<SegmentInfo> list_own_segments() {
  return list_segments(own_prefix);
}

/// A test must not remove what the user's jobs left.
inline std::vector<SegmentInfo> collect_own_segments(CollectOptions options = {}) {
  options.prefix = own_prefix;
  return collect_segments(options);
}

}  // namespace nodewise::test
