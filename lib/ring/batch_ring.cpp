#include <nodewise/batch_ring.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <limits>
#include <thread>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "os/os.hpp"
#include "ring/member.hpp"
#include "ring/recovery.hpp"

namespace nodewise {

std::string_view to_string(RingEnds ends) noexcept {
  switch (ends) {
    case RingEnds::one:
      return "one";
    case RingEnds::many:
      return "many";
  }
  return {};
}

namespace {

constexpr std::uint64_t most_slots = std::uint64_t{1} << 16;  // a member that waits examines all of them

// The sizes of a ring, where its parts lie in the data of the segment, and what the header says about it.
struct Measures {
  std::uint64_t slots = 0;
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;
  bool only_producer = false;
  bool only_consumer = false;

  static constexpr std::uint64_t page = 4096;
  std::uint64_t cells_offset() const { return base::round_up(sizeof(ring::Control), page); }
  std::uint64_t slots_offset() const {
    return base::round_up(cells_offset() + slots * sizeof(ring::Cell), page);
  }
  // Each slot begins at a page, so that two slots never share a page or a cache line.
  std::optional<std::uint64_t> slot_bytes() const {
    const auto elements = base::checked_mul(rows, cols);
    const auto bytes = elements ? base::checked_mul(*elements, dtype_bytes(dtype)) : elements;
    if (!bytes || *bytes > std::numeric_limits<std::uint64_t>::max() - page) return std::nullopt;
    return base::round_up(*bytes, page);
  }
  std::optional<std::uint64_t> data_bytes() const {
    const auto each = slot_bytes();
    const auto all = each ? base::checked_mul(*each, slots) : each;
    return all ? base::checked_add(*all, slots_offset()) : all;
  }
  std::array<std::uint64_t, 8> parameters() const {
    return {slots, rows, cols, only_producer ? 1U : 0U, only_consumer ? 1U : 0U, 0, 0, 0};
  }
};

Measures measures_of(const RingOptions& options) {
  if (options.slots == 0 || options.slots > most_slots)
    throw InvalidArgument(
        base::text("BatchRing: ", options.slots, " slots; 1 to ", most_slots, " are possible"));
  if ((options.rows == 0) != (options.cols == 0))
    throw InvalidArgument(base::text("BatchRing: slots of ", options.rows, " x ", options.cols,
                                     "; both or none of them may be 0"));
  const Measures measures{.slots = std::bit_ceil(options.slots),
                          .rows = options.rows,
                          .cols = options.cols,
                          .dtype = options.dtype,
                          .only_producer = options.producers == RingEnds::one,
                          .only_consumer = options.consumers == RingEnds::one};
  if (!measures.data_bytes())
    throw InvalidArgument(base::text("BatchRing: ", measures.slots, " slots of ", options.rows, " x ",
                                     options.cols, " exceed the address space"));
  return measures;
}

Measures measures_of(const SegmentHeader& header, const std::string& name) {
  const auto refuse = [&](const auto&... pieces) {
    throw FormatError(base::text("BatchRing: segment \"", name, "\" ", pieces...));
  };
  if (header.kind != SegmentKind::ring)
    throw InvalidArgument(base::text("BatchRing: segment \"", name, "\" is of kind ", to_string(header.kind),
                                     ", not a ring; open it as that, or choose another name"));
  if (header.content_hash != ring::content_hash())
    refuse("holds a ring of another layout: use the build of nodewise that made it");
  const auto& words = header.parameters;
  const Measures measures{.slots = words[0],
                          .rows = words[1],
                          .cols = words[2],
                          .dtype = header.dtype,
                          .only_producer = words[3] != 0,
                          .only_consumer = words[4] != 0};
  const bool possible = std::has_single_bit(measures.slots) && measures.slots <= most_slots;
  if (!possible || measures.data_bytes().value_or(header.data_bytes + 1) > header.data_bytes)
    refuse("says that ", words[0], " slots of ", words[1], " x ", words[2], " are in ", header.data_bytes,
           " bytes");
  return measures;
}

std::optional<unsigned> node_of(const RingOptions& options) {
  if (!options.node) return std::nullopt;
  const Topology topology = options.topology ? *options.topology : Topology::this_machine();
  const Node& node = topology.node(*options.node);
  if (!topology.is_this_machine() || !node.allowed || node.memory_bytes == 0)
    throw PlacementError(
        base::text("BatchRing: node ", node.os_index, " has no memory that this process may use"));
  return node.os_index;
}

}  // namespace

BatchRing::BatchRing(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

struct RingAccess {
  static std::shared_ptr<BatchRing::State> state_of(std::shared_ptr<SegmentFile> file,
                                                    const Measures& measures) {
    auto state = std::make_shared<BatchRing::State>();
    std::byte* const data = file->data();
    state->pages = SegmentFile::pages(file);
    state->memory = {.control = reinterpret_cast<ring::Control*>(data),
                     .cells = reinterpret_cast<ring::Cell*>(data + measures.cells_offset()),
                     .slot_count = measures.slots,
                     .only_producer = measures.only_producer,
                     .only_consumer = measures.only_consumer,
                     .file = file.get()};
    state->slots = data + measures.slots_offset();
    state->slot_bytes = *measures.slot_bytes();
    state->rows = measures.rows;
    state->cols = measures.cols;
    state->dtype = measures.dtype;
    state->file = std::move(file);
    return state;
  }
  static BatchRing opened(std::shared_ptr<SegmentFile> file) {
    const Measures measures = measures_of(file->header(), file->name());
    return BatchRing(state_of(std::move(file), measures));
  }
  // Binds the memory before it is touched.
  static void place(const SegmentFile& file, BatchRing::State& ring, std::optional<unsigned> os_index) {
    if (os_index) {
      const int refused =
          os::current().bind(file.data(), file.data_bytes(), os::BindMode::preferred, *os_index);
      if (refused != 0)
        ring.degradations.push_back({DegradationKind::mbind_refused,
                                     base::text("mbind: ", base::errno_text(refused),
                                                "; the ring lies with the process that made it"),
                                     refused});
    }
    file.make_present(ring.pages);
  }
};

// Zeroed memory is an empty ring: every slot is free, in lap 0.
BatchRing BatchRing::create(const std::string& name, const RingOptions& options) {
  const Measures measures = measures_of(options);
  const auto os_index = node_of(options);
  SegmentHeader header;
  header.kind = SegmentKind::ring;
  header.content_hash = ring::content_hash();
  header.dtype = measures.dtype;
  header.parameters = measures.parameters();
  auto file = SegmentFile::create({.name = name,
                                   .kind = options.pages,
                                   .data_bytes = *measures.data_bytes(),
                                   .header_bytes = segment_header_bytes(header)});
  auto state = RingAccess::state_of(file, measures);
  RingAccess::place(*file, *state, os_index);
  header.placing_rung =
      os_index && state->degradations.empty() ? PlacingRung::mbind : PlacingRung::first_touch;
  file->publish(header);
  return BatchRing(std::move(state));
}

BatchRing BatchRing::open(const std::string& name, const Patience& patience) {
  return RingAccess::opened(
      SegmentFile::open(name, Access::read_write, Leftover::collected, SegmentWait(patience)));
}

BatchRing BatchRing::open_descriptor(int descriptor) {
  return RingAccess::opened(SegmentFile::open_descriptor(descriptor, Access::read_write));
}

RingProducer BatchRing::producer(const RingWaiting& waiting) const {
  return RingProducer(std::make_unique<RingMember>(state_, true, waiting));
}

RingConsumer BatchRing::consumer(const RingWaiting& waiting) const {
  return RingConsumer(std::make_unique<RingMember>(state_, false, waiting));
}

void BatchRing::close() const {
  ring::Control& control = *state_->memory.control;
  control.closed.store(1);
  base::pass(base::Mark::closing);
  wake_all(control);
}

bool BatchRing::closed() const noexcept {
  return state_->memory.closed().load() != 0;
}

unsigned BatchRing::recover() const {
  const os::ForkWatch::Pause no_forks;  // a child must not inherit the locks that this takes
  const os::File opening = state_->open_again();
  const unsigned found = RingRecovery::of(*state_, opening.descriptor(), std::nullopt, 0);
  if (found > 0) state_->memory.control->recovered.fetch_add(found);
  return found;
}

bool BatchRing::drain_until(std::chrono::steady_clock::time_point until) const {
  constexpr std::chrono::milliseconds look_again(2);
  bool settled = false;
  while (true) {
    if (closed() && !settled) {
      RingRecovery::settle_closing();
      settled = true;
    }
    if (settled && state_->core().is_empty()) return true;
    if (RingMember::Clock::now() >= until) return false;
    std::this_thread::sleep_for(look_again);
    recover();
  }
}

RingCounts BatchRing::counts() const noexcept {
  RingCounts sum{.recovered = state_->memory.control->recovered.load(std::memory_order_relaxed)};
  for (const ring::MemberEntry& entry : state_->memory.control->members) {
    sum.published += entry.published.load(std::memory_order_relaxed);
    sum.returned += entry.returned.load(std::memory_order_relaxed);
    sum.redelivered += entry.redelivered.load(std::memory_order_relaxed);
    sum.recovered += entry.recovered.load(std::memory_order_relaxed);
    sum.producer_waits += entry.producer_waits.load(std::memory_order_relaxed);
    sum.consumer_waits += entry.consumer_waits.load(std::memory_order_relaxed);
    sum.producer_waited_ns += entry.producer_waited_ns.load(std::memory_order_relaxed);
    sum.consumer_waited_ns += entry.consumer_waited_ns.load(std::memory_order_relaxed);
  }
  return sum;
}

std::uint64_t BatchRing::slots() const noexcept {
  return state_->memory.slot_count;
}
std::uint64_t BatchRing::rows() const noexcept {
  return state_->rows;
}
std::uint64_t BatchRing::cols() const noexcept {
  return state_->cols;
}
DType BatchRing::dtype() const noexcept {
  return state_->dtype;
}
int BatchRing::descriptor() const noexcept {
  return name().empty() ? state_->file->descriptor() : -1;
}
const std::string& BatchRing::name() const noexcept {
  return state_->file->name();
}
const Pages& BatchRing::pages() const& noexcept {
  return state_->pages;
}
const std::vector<Degradation>& BatchRing::degradations() const& noexcept {
  return state_->degradations;
}

}  // namespace nodewise
