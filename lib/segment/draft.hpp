// A dataset's segment while it is being made.
#pragma once

#include <memory>

#include <nodewise/segment.hpp>

#include "segment/file.hpp"

namespace nodewise {

/// Makes the public value of a file that is open. Defined in segment.cpp.
struct SegmentAccess {
  static Segment of(std::shared_ptr<SegmentFile> file);
};

/// The file is exclusive, and is removed with this object unless it was published.
class SegmentDraft {
 public:
  /// Throws InvalidArgument (name, page sizes), SystemError (EEXIST: the name is taken), PlacementError (no
  /// room).
  SegmentDraft(const Plan& plan, const SegmentOptions& options, PageKind kind);
  Pages pages() const;
  /// Publishes the segment. Precondition: it is not published yet.
  Segment publish(PlacingRung rung, Layout layout);

 private:
  SegmentHeader header_;
  std::shared_ptr<SegmentFile> file_;
};

}  // namespace nodewise
