// Batches handed from process to process without a copy, through a bounded ring that survives the death of
// anybody who uses it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/export.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/topology.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

/// How many there may be at one time. `one` is faster, and a second one is refused.
enum class RingEnds : unsigned char { one, many };
NODEWISE_PUBLIC std::string_view to_string(RingEnds ends) noexcept;

struct RingOptions {
  std::uint64_t slots = 8;  ///< Batches in flight; rounded up to a power of two, at most 65536.
  /// What a slot holds: up to so many rows of so many columns. 0 columns: nothing but the tag, for handing
  /// over what lies elsewhere, as batches of a dataset in a segment.
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;
  RingEnds producers = RingEnds::many;
  RingEnds consumers = RingEnds::many;
  /// Where the slots lie: the node of those who read them (logical index). Unset: with who makes the ring.
  std::optional<unsigned> node = {};
  PageKind pages = PageKind::automatic;
  std::optional<Topology> topology = {};  ///< Must be this machine; unset: loaded afresh where `node` is set.
};

/// What a producer says of a batch, and its consumer reads: two words of the caller's.
struct BatchTag {
  std::uint64_t batch = 0;
  std::uint64_t user = 0;
  friend bool operator==(const BatchTag&, const BatchTag&) = default;
};

/// How long to look again and again before sleeping. Waking a sleeper takes some ten microseconds and more.
struct RingWaiting {
  std::chrono::nanoseconds spin = std::chrono::microseconds(20);  ///< None where there is one CPU alone.
};

/// Sums over all who ever took part. Of those that were killed the last steps may be missing.
struct RingCounts {
  std::uint64_t published = 0;
  std::uint64_t returned = 0;
  std::uint64_t redelivered = 0;     ///< Delivered again, as their consumer had died.
  std::uint64_t recovered = 0;       ///< Slots taken back from dead producers and consumers.
  std::uint64_t producer_waits = 0;  ///< How often the ring was full: back-pressure.
  std::uint64_t consumer_waits = 0;  ///< How often it was empty.
  std::uint64_t producer_waited_ns = 0;
  std::uint64_t consumer_waited_ns = 0;
};

class RingMember;  // private to the library

/// A slot to be filled. Gives itself back unpublished, unless it is published. Moves, never copies; ends
/// before its producer does. Thread class: as its producer.
class NODEWISE_PUBLIC RingLoan {
 public:
  RingLoan(RingLoan&& other) noexcept
      : member_(std::exchange(other.member_, nullptr)), ticket_(other.ticket_), epoch_(other.epoch_) {}
  RingLoan& operator=(RingLoan&& other) noexcept {
    RingLoan moved(std::move(other));
    std::swap(member_, moved.member_);
    std::swap(ticket_, moved.ticket_);
    std::swap(epoch_, moved.epoch_);
    return *this;
  }
  ~RingLoan() {
    if (member_ != nullptr) give_up();
  }
  /// All its rows, with whatever they last held.
  AnyBatchView view() noexcept;
  /// Hands the first `rows` over. Throws InvalidArgument where a slot has fewer; the loan is then still
  /// there.
  void publish(std::uint64_t rows, BatchTag tag = {}) &&;

 private:
  friend struct RingHands;
  RingLoan(RingMember* member, std::uint64_t ticket, std::uint64_t epoch) noexcept
      : member_(member), ticket_(ticket), epoch_(epoch) {}
  void give_up() noexcept;
  RingMember* member_ = nullptr;
  std::uint64_t ticket_ = 0;
  std::uint64_t epoch_ = 0;
};

/// A batch that was published. Gives its slot back when it goes. As RingLoan otherwise.
class NODEWISE_PUBLIC RingLease {
 public:
  RingLease(RingLease&& other) noexcept
      : member_(std::exchange(other.member_, nullptr)),
        ticket_(other.ticket_),
        epoch_(other.epoch_),
        redelivered_(other.redelivered_) {}
  RingLease& operator=(RingLease&& other) noexcept {
    RingLease moved(std::move(other));
    std::swap(member_, moved.member_);
    std::swap(ticket_, moved.ticket_);
    std::swap(epoch_, moved.epoch_);
    std::swap(redelivered_, moved.redelivered_);
    return *this;
  }
  ~RingLease() {
    if (member_ != nullptr) give_back();
  }
  /// The rows that were published, to be read: another consumer may get them again.
  AnyConstBatchView view() const noexcept;
  BatchTag tag() const noexcept;
  /// Whether another consumer had it and died: what was done with it then is unknown.
  bool redelivered() const noexcept { return redelivered_; }

 private:
  friend struct RingHands;
  RingLease(RingMember* member, std::uint64_t ticket, std::uint64_t epoch, bool redelivered) noexcept
      : member_(member), ticket_(ticket), epoch_(epoch), redelivered_(redelivered) {}
  void give_back() noexcept;
  RingMember* member_ = nullptr;
  std::uint64_t ticket_ = 0;
  std::uint64_t epoch_ = 0;
  bool redelivered_ = false;
};

/// Fills slots. Several loans may be out; batches are delivered in the order of their loans. In a forked
/// child it takes part anew at its first call, and the parent's loans are not the child's; where there may be
/// one only, and the parent lives, that call throws SystemError (EBUSY). Thread class: one thread at a time,
/// loans included: no loan is published or given up while another thread uses its producer.
class NODEWISE_PUBLIC RingProducer {
 public:
  RingProducer(RingProducer&&) noexcept;
  RingProducer& operator=(RingProducer&&) noexcept;
  ~RingProducer();
  /// Waits for a free slot; nothing once the ring is closed.
  std::optional<RingLoan> loan();
  /// The same, not longer than that; nothing too if the time was not enough.
  std::optional<RingLoan> loan_for(std::chrono::nanoseconds timeout);
  std::optional<RingLoan> try_loan();

 private:
  friend class BatchRing;
  explicit RingProducer(std::unique_ptr<RingMember> member) noexcept;
  std::unique_ptr<RingMember> member_;
};

/// Reads what was published. As RingProducer otherwise.
class NODEWISE_PUBLIC RingConsumer {
 public:
  RingConsumer(RingConsumer&&) noexcept;
  RingConsumer& operator=(RingConsumer&&) noexcept;
  ~RingConsumer();
  /// Waits for a batch; nothing once the ring is closed and every batch was given back. Who holds a lease
  /// gets nothing as soon as there is nothing more to take; who holds none waits for what others hold too, as
  /// it comes back if they die.
  std::optional<RingLease> lease();
  std::optional<RingLease> lease_for(std::chrono::nanoseconds timeout);
  std::optional<RingLease> try_lease();

 private:
  friend class BatchRing;
  explicit RingConsumer(std::unique_ptr<RingMember> member) noexcept;
  std::unique_ptr<RingMember> member_;
};

/// The ring, in a segment of its own. Producers and consumers may come, go and be killed at any moment: a
/// batch that was published is delivered to exactly one consumer, and to another one, marked, if that one
/// dies while it holds it. What a dead producer had not published is lost with it. Others notice within some
/// milliseconds. Up to 256 take part at a time. Copies share the ring. Thread class: any thread.
class NODEWISE_PUBLIC BatchRing {
 public:
  /// Throws InvalidArgument (sizes, name), SystemError (EEXIST: the name is taken; no room), PlacementError
  /// (no room, or none on that node), OutOfRange (no such node). Without a name: a memfd.
  static BatchRing create(const std::string& name, const RingOptions& options);
  /// Throws as Segment::open, and InvalidArgument where the segment holds something else.
  static BatchRing open(const std::string& name);
  static BatchRing open_descriptor(int descriptor);

  /// Throws SystemError (EBUSY: there is one already, and there may be no more).
  RingProducer producer(const RingWaiting& waiting = {}) const;
  RingConsumer consumer(const RingWaiting& waiting = {}) const;
  /// From now on nothing is lent; loans that are out may be published, and all that is published is
  /// delivered.
  void close() const;
  bool closed() const noexcept;
  /// Waits until the ring is closed and every batch was given back, not longer than that: whether it is so.
  /// Throws as recover().
  bool drain(std::chrono::nanoseconds timeout) const;
  /// Takes back what the dead held. Those who wait do so anyway; where everybody only tries, somebody should
  /// call this now and then. How many slots that were. Throws SystemError.
  unsigned recover() const;
  RingCounts counts() const noexcept;

  std::uint64_t slots() const noexcept;
  std::uint64_t rows() const noexcept;
  std::uint64_t cols() const noexcept;
  DType dtype() const noexcept;
  int descriptor() const noexcept;  ///< Of a memfd, to send to others; else -1.
  const std::string& name() const noexcept;
  const Pages& pages() const& noexcept;
  const Pages& pages() const&& noexcept = delete;
  /// What placing it was less than asked for; known to its maker alone.
  const std::vector<Degradation>& degradations() const& noexcept;
  const std::vector<Degradation>& degradations() const&& noexcept = delete;

 private:
  struct State;
  friend class RingLoan;
  friend class RingLease;
  friend class RingMember;
  friend struct RingAccess;
  friend struct RingRecovery;
  explicit BatchRing(std::shared_ptr<State> state) noexcept;
  std::shared_ptr<State> state_;
};

}  // namespace nodewise
