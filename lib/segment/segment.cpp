#include <nodewise/segment.hpp>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"
#include "segment/draft.hpp"
#include "segment/file.hpp"

namespace nodewise {

std::string_view to_string(Access access) noexcept {
  switch (access) {
    case Access::read_only:
      return "read_only";
    case Access::read_write:
      return "read_write";
  }
  return {};
}

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

std::string_view to_string(SegmentOwner::State state) noexcept {
  switch (state) {
    case SegmentOwner::State::alive:
      return "alive";
    case SegmentOwner::State::dead:
      return "dead";
    case SegmentOwner::State::unknown:
      return "unknown";
  }
  return {};
}

SegmentOwner::State owner_state(const SegmentOwner& owner) {
  const auto here = os::current().path_status("/proc/self/ns/pid");
  if (!here.ok() || here.value.inode != owner.pid_namespace) return SegmentOwner::State::unknown;
  const bool runs = os::process_start_ticks(owner.pid) == owner.start_ticks;
  return runs ? SegmentOwner::State::alive : SegmentOwner::State::dead;
}

struct Segment::State {
  std::shared_ptr<SegmentFile> file;
  Pages pages;
};

struct SegmentAccess {
  static Segment of(std::shared_ptr<SegmentFile> file) {
    auto state = std::make_shared<Segment::State>();
    state->pages = SegmentFile::pages(file);
    state->file = std::move(file);
    return Segment(std::move(state));
  }
};

Segment Segment::open(const std::string& name, Access access) {
  return SegmentAccess::of(SegmentFile::open(name, access));
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
const SegmentSource& Segment::source() const noexcept {
  return state_->file->header().source;
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

AnyBatchView Segment::get_batch(std::uint64_t batch) const& {
  if (batch >= num_batches())
    throw OutOfRange(
        base::text("Segment::get_batch: batch ", batch, " of ", num_batches(),
                   kind() == SegmentKind::dataset
                       ? ""
                       : base::text("; the segment is of kind ", to_string(kind()), ", no dataset")));
  const RowRange rows = dataset().batch_rows(batch);
  const std::uint64_t cols = dataset().shape().features;
  return {state_->pages.data() + dataset().bytes(rows).begin, dataset().dtype(), rows.count(), cols, cols};
}

void Segment::remove() const {
  state_->file->remove();
}

namespace {

SegmentHeader header_of(const Plan& plan, const SegmentOptions& options) {
  SegmentHeader header;
  header.dataset = plan.dataset();
  header.keep = options.keep;
  header.source = options.source;
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

Segment SegmentDraft::publish(PlacingRung rung) {
  header_.placing_rung = rung;
  file_->publish(header_);
  return SegmentAccess::of(file_);
}

}  // namespace nodewise
