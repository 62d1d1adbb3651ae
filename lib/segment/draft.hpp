// The segment of a dataset until it is published.
#pragma once

#include <memory>

#include <nodewise/segment.hpp>

#include "segment/file.hpp"

namespace nodewise {

/// Makes a Segment from a file that is open. Defined in segment.cpp.
struct SegmentAccess {
  static Segment of(std::shared_ptr<SegmentFile> file);
};

/// A segment file that no other process can open. The destructor removes it, unless it was published.
class SegmentDraft {
 public:
  /// Throws InvalidArgument (bad name, page sizes), SystemError (EEXIST: the name is taken) and
  /// PlacementError (no room).
  SegmentDraft(const Plan& plan, const SegmentOptions& options, PageKind kind);
  Pages pages() const;
  /// Publishes the segment. Precondition: it is not published yet.
  Segment publish(PlacingRung rung, Layout layout);

 private:
  SegmentHeader header_;
  std::shared_ptr<SegmentFile> file_;
};

}  // namespace nodewise
