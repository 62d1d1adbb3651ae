#include <nodewise/segment.hpp>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "pages/parts.hpp"
#include "segment/draft.hpp"
#include "segment/file.hpp"

namespace nodewise {

std::string_view to_string(SegmentKind kind) noexcept {
  switch (kind) {
    case SegmentKind::dataset:
      return "dataset";
    case SegmentKind::objects:
      return "objects";
    case SegmentKind::ring:
      return "ring";
  }
  return {};
}

struct Segment::State {
  std::shared_ptr<SegmentFile> file;
  Pages pages;
};

Segment SegmentAccess::of(std::shared_ptr<SegmentFile> file) {
  auto state = std::make_shared<Segment::State>();
  state->pages = SegmentFile::pages(file);
  state->file = std::move(file);
  return Segment(std::move(state));
}

Segment Segment::open(const std::string& name, Access access, const Patience& patience) {
  return SegmentAccess::of(SegmentFile::open(name, access, Leftover::opened, SegmentWait(patience)));
}

Segment Segment::open_descriptor(int descriptor, Access access) {
  return SegmentAccess::of(SegmentFile::open_descriptor(descriptor, access));
}

const std::string& Segment::name() const noexcept {
  return state_->file->name();
}
const std::string& Segment::path() const noexcept {
  return state_->file->path();
}
SegmentKind Segment::kind() const noexcept {
  return state_->file->header().kind;
}
Access Segment::access() const noexcept {
  return state_->file->access();
}
const SegmentOwner& Segment::owner() const noexcept {
  return state_->file->header().owner;
}
std::chrono::system_clock::time_point Segment::created() const noexcept {
  return created_at(state_->file->header().created_ns);
}
bool Segment::kept() const noexcept {
  return state_->file->header().keep;
}
const Identity& Segment::origin() const noexcept {
  return state_->file->header().origin;
}
int Segment::descriptor() const noexcept {
  return name().empty() ? state_->file->descriptor() : -1;
}
const Pages& Segment::pages() const& noexcept {
  return state_->pages;
}
const Dataset& Segment::dataset() const noexcept {
  return state_->file->header().dataset;
}
std::uint64_t Segment::num_batches() const noexcept {
  return dataset().num_batches();
}
const std::string& Segment::plan_json() const noexcept {
  return state_->file->header().plan;
}
PlacingRung Segment::placing_rung() const noexcept {
  return state_->file->header().placing_rung;
}

Layout Segment::layout() const noexcept {
  return state_->file->header().layout;
}

AnyBatchView Segment::view(std::uint64_t batch) const {
  if (batch >= num_batches())
    throw OutOfRange(
        base::text("Segment::get_batch: batch ", batch, " of ", num_batches(),
                   kind() == SegmentKind::dataset
                       ? ""
                       : base::text("; the segment is of kind ", to_string(kind()), ", not a dataset")));
  const RowRange rows = dataset().batch_rows(batch);
  const std::uint64_t cols = dataset().shape().features;
  std::byte* const data = PagesParts::address(state_->pages) + dataset().bytes(rows).begin;
  return {data, {dataset().dtype(), layout(), access()}, rows.count(), cols, cols};
}

void Segment::remove() const {
  state_->file->remove();
}

}  // namespace nodewise
