#include <nodewise/loader.hpp>

#include <cstring>
#include <functional>
#include <utility>

#include "base/checked.hpp"
#include "base/convert_element.hpp"
#include "base/text.hpp"
#include "loader/options.hpp"
#include "os/os.hpp"
#include "report.hpp"
#include "segment/draft.hpp"

namespace nodewise {

struct BatchLoader::State {
  State(Buffer placed, const TeamOptions& options)
      : buffer(std::move(placed)), team(buffer.topology(), options) {}
  State(Buffer placed, Team pinned) : buffer(std::move(placed)), team(std::move(pinned)) {}

  FullBatches full_batches() const noexcept;

  Buffer buffer;
  Team team;
  std::optional<SegmentDraft> draft;  // until it is published
  std::optional<Segment> segment;
  report::Watch watch{report::Kind::placements, [this] { return Placement::of(buffer).to_json(); }};
};

// Where there is a full batch its bytes are counted by 64 bits; where there is none they do not matter.
BatchLoader::FullBatches BatchLoader::State::full_batches() const noexcept {
  const Plan& plan = buffer.plan();
  return {.data = buffer.data(),
          .count = plan.shape().samples / plan.batch_size(),
          .bytes = plan.batch_size() * plan.row_bytes(),
          .rows = plan.batch_size(),
          .cols = plan.shape().features,
          .dtype = plan.dtype()};
}

namespace {

Topology chosen_topology(const LoaderOptions& options) {
  return options.topology ? *options.topology : Topology::this_machine();
}

}  // namespace

BatchLoader::BatchLoader(std::unique_ptr<State> state) noexcept
    : state_(std::move(state)), full_(state_->full_batches()) {}
BatchLoader::~BatchLoader() = default;

// What was moved from has no batch any more that get_batch could have without its state.
BatchLoader::BatchLoader(BatchLoader&& other) noexcept
    : state_(std::move(other.state_)), full_(std::exchange(other.full_, {})) {}
BatchLoader& BatchLoader::operator=(BatchLoader&& other) noexcept {
  state_ = std::move(other.state_);
  full_ = std::exchange(other.full_, {});
  return *this;
}

BatchLoader::BatchLoader(const Plan& plan, const LoaderOptions& options) {
  const Topology topology = chosen_topology(options);
  place(plan, topology, options);
}

BatchLoader::BatchLoader(const Buffer::Fill& fill, Shape shape, DType dtype, std::uint64_t batch_size,
                         const LoaderOptions& options) {
  const Topology topology = chosen_topology(options);
  place(Plan(topology, shape, dtype, batch_size, plan_options(options)), topology, options, fill);
}

BatchLoader::BatchLoader(Shape shape, DType dtype, std::uint64_t batch_size, const LoaderOptions& options)
    : BatchLoader(Buffer::Fill(), shape, dtype, batch_size, options) {}

BatchLoader::BatchLoader(const void* data, Shape shape, DType dtype, std::uint64_t batch_size,
                         const LoaderOptions& options)
    : BatchLoader(
          [data](std::byte* at, ByteRange bytes) {
            std::memcpy(at, static_cast<const std::byte*>(data) + bytes.begin, bytes.bytes());
          },
          shape, dtype, batch_size, options) {}

void BatchLoader::place(const Plan& plan, const Topology& topology, const LoaderOptions& options,
                        const Buffer::Fill& fill) {
  Team team(topology, options.team);
  if (options.segment) return place_in_segment(plan, std::move(team), options, fill);
  Buffer buffer = Buffer::allocate(plan, team, chosen_pages(options), fill);
  if (plan.binding() == Binding::required) Placement::of(buffer).require_planned();
  state_ = std::make_unique<State>(std::move(buffer), std::move(team));
  full_ = state_->full_batches();
}

void BatchLoader::place_in_segment(const Plan& plan, Team team, const LoaderOptions& options,
                                   const Buffer::Fill& fill) {
  SegmentDraft draft(plan, *options.segment, chosen_pages(options));
  Buffer buffer = Buffer::place(plan, team, draft.pages(), fill);
  if (plan.binding() == Binding::required) Placement::of(buffer).require_planned();
  state_ = std::make_unique<State>(std::move(buffer), std::move(team));
  state_->draft = std::move(draft);
  full_ = state_->full_batches();
  if (options.segment->publish) publish();
}

void BatchLoader::publish() {
  if (!state_->draft) throw InvalidArgument("BatchLoader::publish: there is no segment that waits for it");
  state_->segment = state_->draft->publish(buffer().placing_rung());
  state_->draft.reset();
}

BatchLoader BatchLoader::open(const Segment& segment, const LoaderOptions& options) {
  if (segment.kind() != SegmentKind::dataset)
    throw InvalidArgument(base::text("BatchLoader::open: segment \"", segment.name(), "\" is of kind ",
                                     to_string(segment.kind()),
                                     ", no dataset; open it as what it is, or choose another name"));
  const Topology topology = chosen_topology(options);
  const Plan plan = Plan::from_json(segment.plan_json(), topology);
  if (plan.shape() != segment.shape() || plan.dtype() != segment.dtype() ||
      plan.batch_size() != segment.batch_size() || plan.page_bytes() != segment.pages().page_bytes())
    throw FormatError(base::text("BatchLoader::open: the plan and the header of segment \"", segment.name(),
                                 "\" contradict each other"));
  Buffer buffer = Buffer::adopt_placed(plan, topology, segment.pages(), segment.placing_rung());
  auto state = std::make_unique<State>(std::move(buffer), options.team);
  state->segment = segment;
  return BatchLoader(std::move(state));
}

BatchLoader BatchLoader::open(const std::string& name, Access access, const LoaderOptions& options) {
  return open(Segment::open(name, access), options);
}

std::optional<Segment> BatchLoader::segment() const {
  return state_->segment;
}

BatchLoader BatchLoader::adopt(void* data, Shape shape, DType dtype, std::uint64_t batch_size,
                               const LoaderOptions& options, std::function<void(void*)> release) {
  // From here on the memory has an owner, whatever is thrown.
  const auto bytes = base::checked_mul(shape.samples, shape.features);
  const auto total = bytes ? base::checked_mul(*bytes, dtype_bytes(dtype)) : bytes;
  Pages pages = Pages::adopt(data, total.value_or(0), std::move(release));
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if (address % dtype_bytes(dtype) != 0 || (data == nullptr && total != 0))
    throw InvalidArgument(base::text("BatchLoader::adopt: elements of ", dtype_name(dtype),
                                     " cannot begin at address ", address,
                                     "; their memory must be aligned to ", dtype_bytes(dtype), " bytes"));
  const Topology topology = chosen_topology(options);
  PlanOptions planned = plan_options(options);
  planned.page_bytes = topology.page_bytes();
  planned.base_offset = address % topology.page_bytes();
  Buffer buffer =
      Buffer::adopt(Plan(topology, shape, dtype, batch_size, planned), topology, std::move(pages));
  if (planned.binding == Binding::required) Placement::of(buffer).require_planned();
  return BatchLoader(std::make_unique<State>(std::move(buffer), options.team));
}

Shape BatchLoader::shape() const noexcept {
  return plan().shape();
}
DType BatchLoader::dtype() const noexcept {
  return plan().dtype();
}
std::uint64_t BatchLoader::batch_size() const noexcept {
  return plan().batch_size();
}
std::uint64_t BatchLoader::num_batches() const noexcept {
  return plan().num_batches();
}
const Buffer& BatchLoader::buffer() const& noexcept {
  return state_->buffer;
}
const Plan& BatchLoader::plan() const& noexcept {
  return state_->buffer.plan();
}
const Team& BatchLoader::team() const& noexcept {
  return state_->team;
}
const Pages& BatchLoader::pages() const& noexcept {
  return state_->buffer.pages();
}

AnyBatchView BatchLoader::short_batch(std::uint64_t batch) const {
  if (batch >= num_batches())
    throw OutOfRange(base::text("BatchLoader::get_batch: batch ", batch, " of ", num_batches()));
  return {full_.data + batch * full_.bytes, full_.dtype, plan().batch_rows(batch), full_.cols, full_.cols};
}

bool BatchLoader::is_zero_copy(std::uint64_t batch) const {
  return is_zero_copy(get_batch(batch));
}

bool BatchLoader::is_zero_copy(const AnyBatchView& view) const {
  if (view.size_bytes() == 0) return false;
  const std::size_t extent =
      ((view.rows() - 1) * view.row_stride() + view.cols()) * dtype_bytes(view.dtype());
  const std::less<const std::byte*> before;  // pointers into different objects have no other order
  const auto* begin = static_cast<const std::byte*>(view.data());
  const std::byte* first = buffer().data();
  const bool inside = !before(begin, first) && !before(first + plan().total_bytes(), begin + extent);
  return inside && os::current().check_mapped(begin, extent) == 0;
}

Means BatchLoader::compute_means() const {
  return batch_means(buffer(), team());
}
std::vector<double> BatchLoader::means() const {
  return compute_means().values;
}

std::vector<double> BatchLoader::get_batch_means() const {
  auto values = means();
  for (double& value : values) value = round_to_4(value);
  return values;
}

Placement BatchLoader::placement() const {
  return Placement::of(buffer());
}

void* BatchLoader::element(std::uint64_t row, std::uint64_t col) const {
  if (row >= shape().samples || col >= shape().features)
    throw OutOfRange(base::text("BatchLoader::write_to_buffer: (", row, ", ", col, ") is outside ",
                                shape().samples, " x ", shape().features));
  if (!pages().writable())
    throw InvalidArgument(
        "BatchLoader::write_to_buffer: the segment was opened for reading; open it with "
        "Access::read_write");
  return buffer().data() + row * plan().row_bytes() + col * dtype_bytes(dtype());
}

void BatchLoader::write_converted(void* at, DType from, const void* value) {
  std::byte number[sizeof(double)];
  if (base::convert_element(from, value, dtype(), number)) {
    std::memcpy(at, number, dtype_bytes(dtype()));
    return;
  }
  const std::string given = base::element_text(from, value);
  const std::string remedy =
      given.ends_with("nan")
          ? ", and none is near it"
          : base::text("; the nearest is ", base::element_text(dtype(), number), ": convert it to ",
                       base::element_type_name(dtype()), " first where that is meant");
  throw InvalidArgument(
      base::text("BatchLoader::write_to_buffer: ", given, " is no ", dtype_name(dtype()), " number", remedy));
}

}  // namespace nodewise
