#include "segment/draft.hpp"

#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise {
namespace {

SegmentHeader header_of(const Plan& plan, const SegmentOptions& options) {
  SegmentHeader header;
  header.dataset = plan.dataset();
  header.keep = options.keep;
  header.origin = options.origin;
  header.plan = plan.to_json();
  return header;
}

}  // namespace

SegmentDraft::SegmentDraft(const Plan& plan, const SegmentOptions& options, PageKind kind)
    : header_(header_of(plan, options)) {
  if (options.keep && options.name.empty())
    throw InvalidArgument("Segment: a segment without a name cannot be kept");
  if (segment_header_bytes(header_) > segment_header_limit_bytes)
    throw InvalidArgument(base::text("Segment: its plan and path have ", segment_header_bytes(header_),
                                     " bytes, at most ", segment_header_limit_bytes, " fit"));
  file_ = SegmentFile::create({.name = options.name,
                               .kind = kind,
                               .hugetlb_page_bytes = kind == PageKind::hugetlb ? plan.page_bytes() : 0,
                               .data_bytes = plan.mapped_bytes(),
                               .header_bytes = segment_header_bytes(header_)});
}

Pages SegmentDraft::pages() const {
  return SegmentFile::pages(file_);
}

Segment SegmentDraft::publish(PlacingRung rung, Layout layout) {
  header_.layout = layout;
  header_.placing_rung = rung;
  file_->publish(header_);
  return SegmentAccess::of(file_);
}

}  // namespace nodewise
