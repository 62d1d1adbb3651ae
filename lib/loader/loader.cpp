#include <nodewise/loader.hpp>

#include <cstring>
#include <functional>
#include <utility>

#include "base/convert_element.hpp"
#include "base/text.hpp"
#include "layout/arranging.hpp"
#include "loader/filling.hpp"
#include "os/os.hpp"
#include "report.hpp"
#include "segment/draft.hpp"
#include "segment/file.hpp"

namespace nodewise {

struct BatchLoader::State {
  State(Buffer placed, const TeamOptions& options)
      : buffer(std::move(placed)), team(buffer.topology(), options) {}
  State(Buffer placed, Team pinned) : buffer(std::move(placed)), team(std::move(pinned)) {}

  FullBatches full_batches() const noexcept;

  Buffer buffer;
  Team team;
  std::optional<SegmentDraft> draft;  // until the segment is published
  std::optional<Segment> segment;
  report::Watch watch{report::Kind::placements, [this] { return Placement::of(buffer).to_json(); }};
};

// If there is a full batch, 64 bits can count its bytes. Otherwise the product is not used.
BatchLoader::FullBatches BatchLoader::State::full_batches() const noexcept {
  const Dataset& dataset = buffer.plan().dataset();
  return {.data = const_cast<std::byte*>(buffer.data()),  // `kind` says what views may do
          .count = dataset.num_full_batches(),
          .bytes = dataset.batch_size() * dataset.row_bytes(),
          .rows = dataset.batch_size(),
          .cols = dataset.shape().features,
          .kind = {dataset.dtype(), buffer.layout(),
                   buffer.pages().writable() ? Access::read_write : Access::read_only}};
}

namespace {

Filling filling_by(const Buffer::Fill& fill) {
  if (!fill) return {};
  return {.fill = [fill](std::byte* at, ByteRange bytes, const Stop&) { fill(at, bytes); }, .after = {}};
}

void require_planned(const Buffer& buffer, const char* call, const char* remedy) {
  try {
    Placement::of(buffer).require_planned();
  } catch (const PlacementError& error) {
    throw PlacementError(base::text(call, " under Binding::required: ", error.what(), remedy));
  }
}

Topology chosen_topology(const LoaderOptions& options) {
  return options.topology ? *options.topology : Topology::this_machine();
}

}  // namespace

BatchLoader::BatchLoader(std::unique_ptr<State> state) noexcept
    : state_(std::move(state)), full_(state_->full_batches()) {}
BatchLoader::~BatchLoader() = default;

// A loader that was moved from has no full batches, so get_batch does not use its state, which is gone.
BatchLoader::BatchLoader(BatchLoader&& other) noexcept
    : state_(std::move(other.state_)), full_(std::exchange(other.full_, {})) {}
BatchLoader& BatchLoader::operator=(BatchLoader&& other) noexcept {
  state_ = std::move(other.state_);
  full_ = std::exchange(other.full_, {});
  return *this;
}

BatchLoader::BatchLoader(const Plan& plan, const LoaderOptions& options)
    : BatchLoader(LoaderAccess::filled(plan, options, {})) {}

BatchLoader::BatchLoader(const Dataset& dataset, const LoaderOptions& options)
    : BatchLoader(LoaderAccess::filled(dataset, options, {})) {}

BatchLoader::BatchLoader(const Buffer::Fill& fill, const Dataset& dataset, const LoaderOptions& options)
    : BatchLoader(LoaderAccess::filled(dataset, options, filling_by(fill))) {}

BatchLoader::BatchLoader(const void* data, const Dataset& dataset, const LoaderOptions& options)
    : BatchLoader(
          [data](std::byte* at, ByteRange bytes) {
            std::memcpy(at, static_cast<const std::byte*>(data) + bytes.begin, bytes.bytes());
          },
          dataset, options) {}

BatchLoader LoaderAccess::filled(const Dataset& dataset, const LoaderOptions& options,
                                 const Filling& filling) {
  const Topology topology = chosen_topology(options);
  return BatchLoader(Plan(topology, dataset, plan_options(options)), topology, options, filling);
}

BatchLoader LoaderAccess::filled(const Plan& plan, const LoaderOptions& options, const Filling& filling) {
  return BatchLoader(plan, chosen_topology(options), options, filling);
}

Buffer& LoaderAccess::buffer(BatchLoader& loader) noexcept {
  return loader.state_->buffer;
}

// All loaders are made in this order. If a step fails, the destructor of the segment's draft removes its
// name.
BatchLoader::BatchLoader(const Plan& plan, const Topology& topology, const LoaderOptions& options,
                         const Filling& filling) {
  // A token of Stop::asking() is asked only on the thread that made it, which need not be a worker.
  options.stop.check("BatchLoader");
  const JointStop joint(options.stop);
  Buffer::Fill fill;
  if (filling.fill)
    fill = [&](std::byte* at, ByteRange bytes) {
      joint.run([&](const Stop& stop) { filling.fill(at, bytes, stop); });
    };
  Team team(topology, options.team);
  std::optional<SegmentDraft> draft;
  if (options.segment) draft.emplace(plan, *options.segment, chosen_pages(options));
  // If the layout puts elements in other places than rows do, memory is filled after it is placed, batch by
  // batch.
  const bool at_once = is_filled_as_rows(plan, options.layout);
  const Buffer::Fill while_placing = at_once ? fill : Buffer::Fill();
  Buffer buffer = draft ? Buffer::place(plan, team, draft->pages(), while_placing)
                        : Buffer::allocate(plan, team, chosen_pages(options), while_placing);
  buffer.assume_layout(options.layout);
  if (fill && !at_once) fill_arranged(buffer, fill, team);
  if (plan.binding() == Binding::required)
    require_planned(buffer, "BatchLoader",
                    "; free memory on those nodes, or take Binding::preferred, which reports where it lies");
  if (filling.after) filling.after(buffer, team);
  state_ = std::make_unique<State>(std::move(buffer), std::move(team));
  state_->draft = std::move(draft);
  full_ = state_->full_batches();
  if (options.segment && options.segment->publish) publish();
}

void BatchLoader::publish() {
  if (!state_->draft) throw InvalidArgument("BatchLoader::publish: there is no segment to be published");
  state_->segment = state_->draft->publish(buffer().placing_rung(), layout());
  state_->draft.reset();
}

BatchLoader BatchLoader::open(const Segment& segment, const LoaderOptions& options) {
  if (segment.kind() != SegmentKind::dataset)
    throw InvalidArgument(base::text("BatchLoader::open: segment \"", segment.name(), "\" is of kind ",
                                     to_string(segment.kind()),
                                     ", not a dataset; open it as that, or choose another name"));
  const Topology topology = chosen_topology(options);
  const Plan plan = Plan::from_json(segment.plan_json(), topology);
  if (plan.dataset() != segment.dataset() || plan.page_bytes() != segment.pages().page_bytes())
    throw FormatError(base::text("BatchLoader::open: the plan and the header of segment \"", segment.name(),
                                 "\" contradict each other"));
  Buffer buffer = Buffer::adopt_placed(plan, topology, segment.pages(), segment.placing_rung());
  buffer.assume_layout(segment.layout());
  auto state = std::make_unique<State>(std::move(buffer), options.team);
  state->segment = segment;
  return BatchLoader(std::move(state));
}

BatchLoader BatchLoader::open(const std::string& name, Access access, const LoaderOptions& options) {
  const SegmentWait wait(options.patience, &options.stop);
  return open(SegmentAccess::of(SegmentFile::open(name, access, Leftover::opened, wait)), options);
}

std::optional<Segment> BatchLoader::segment() const {
  return state_->segment;
}

BatchLoader BatchLoader::adopt(void* data, const Dataset& dataset, const LoaderOptions& options,
                               std::function<void(void*)> release) {
  return adopt(Pages::adopt(data, dataset.total_bytes(), std::move(release)), dataset, options);
}

BatchLoader BatchLoader::adopt(const void* data, const Dataset& dataset, const LoaderOptions& options,
                               std::function<void(const void*)> release) {
  return adopt(Pages::adopt(data, dataset.total_bytes(), std::move(release)), dataset, options);
}

// The memory has an owner now, which calls `release` if anything is thrown.
BatchLoader BatchLoader::adopt(Pages pages, const Dataset& dataset, const LoaderOptions& options) {
  const std::byte* const data = std::as_const(pages).data();
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::size_t element_bytes = dtype_bytes(dataset.dtype());
  if (data == nullptr && dataset.total_bytes() != 0)
    throw InvalidArgument(base::text("BatchLoader::adopt: the address is null, and the dataset has ",
                                     dataset.total_bytes(),
                                     " bytes; give the address of its first element, or let the constructor "
                                     "BatchLoader(dataset) make memory"));
  if (address % element_bytes != 0)
    throw InvalidArgument(base::text("BatchLoader::adopt: elements of ", dtype_name(dataset.dtype()),
                                     " cannot begin at address ", address,
                                     "; their memory must be aligned to ", element_bytes, " bytes"));
  const Topology topology = chosen_topology(options);
  PlanOptions planned = plan_options(options);
  planned.page_bytes = topology.page_bytes();
  planned.base_offset = address % topology.page_bytes();
  Buffer buffer = Buffer::adopt(Plan(topology, dataset, planned), topology, std::move(pages));
  buffer.assume_layout(options.layout);
  if (planned.binding == Binding::required)
    require_planned(buffer, "BatchLoader::adopt",
                    "; adopted memory stays where it is: let BatchLoader(data, dataset, options) copy it to "
                    "the planned nodes, or take Binding::preferred, which reports where it lies");
  return BatchLoader(std::make_unique<State>(std::move(buffer), options.team));
}

const Dataset& BatchLoader::dataset() const& noexcept {
  return plan().dataset();
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
  return state_->buffer.get_batch(batch);
}

void BatchLoader::convert_layout(Layout layout, const NodePools& pools) {
  if (state_->segment)
    throw InvalidArgument(base::text("BatchLoader::convert_layout: segment \"", state_->segment->name(),
                                     "\" is published, and others may be reading it; make it in this layout "
                                     "(LoaderOptions::layout), or convert into another buffer"));
  convert_in_place(state_->buffer, layout, team(), pools);
  full_ = state_->full_batches();
}

bool BatchLoader::is_zero_copy(std::uint64_t batch) const {
  return is_zero_copy(get_batch(batch));
}

bool BatchLoader::is_zero_copy(const AnyConstBatchView& view) const {
  const std::size_t extent = view.extent_bytes();
  if (extent == 0) return false;
  const std::less<const std::byte*> before;  // only std::less orders pointers into different objects
  const auto* begin = static_cast<const std::byte*>(view.data());
  const std::byte* first = buffer().address_of(0);
  const std::byte* end = buffer().address_of(dataset().total_bytes());
  const bool inside = !before(begin, first) && !before(end, begin + extent);
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

void* BatchLoader::element(std::uint64_t row, std::uint64_t col) {
  const auto [samples, features] = dataset().shape();
  if (row >= samples || col >= features)
    throw OutOfRange(base::text("BatchLoader::write_to_buffer: (", row, ", ", col, ") is outside ", samples,
                                " x ", features));
  if (!pages().writable())
    throw InvalidArgument(
        "BatchLoader::write_to_buffer: this memory may only be read; open the segment with "
        "Access::read_write, or adopt memory that may be written");
  const AnyBatchView batch = get_batch(row / dataset().batch_size());
  const std::size_t offset =
      element_offset(layout(), batch.rows(), batch.cols(), row % dataset().batch_size(), col);
  return static_cast<std::byte*>(batch.data()) + offset * dtype_bytes(dataset().dtype());
}

void BatchLoader::write_converted(void* at, DType from, const void* value) {
  const DType dtype = dataset().dtype();
  std::byte number[sizeof(double)];
  if (base::convert_element(from, value, dtype, number)) {
    std::memcpy(at, number, dtype_bytes(dtype));
    return;
  }
  const std::string given = base::element_text(from, value);
  const std::string remedy =
      given.ends_with("nan")
          ? ", and none is near it"
          : base::text("; the nearest is ", base::element_text(dtype, number), ": convert it to ",
                       base::element_type_name(dtype), " first where that is meant");
  throw InvalidArgument(
      base::text("BatchLoader::write_to_buffer: ", given, " is no ", dtype_name(dtype), " number", remedy));
}

}  // namespace nodewise
