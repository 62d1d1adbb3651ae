// A ring hands batches from process to process without copying them. Its memory is a segment (segment.hpp)
// that is divided into slots; a slot has room for one batch. A producer borrows a free slot (a loan), fills
// it and publishes it. A consumer then gets the batch (a lease); when the lease is destroyed, the slot is
// free again. Any of these processes may be killed at any moment.
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
#include <nodewise/deadline.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/export.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/topology.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

/// How many producers (or consumers) may take part at one time. `one` is faster, but refuses a second
/// producer (or consumer).
enum class RingEnds : unsigned char { one, many };
NODEWISE_PUBLIC std::string_view to_string(RingEnds ends) noexcept;

struct RingOptions {
  std::uint64_t slots = 8;  ///< The number of slots, 1 to 65536. It is rounded up to a power of two.
  /// The size of a slot: the most rows that a batch may have, and the columns of every batch. If both are 0,
  /// a slot has room for a tag only. Such a ring can hand over data that lies elsewhere, such as batches of a
  /// dataset in a segment.
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;
  RingEnds producers = RingEnds::many;
  RingEnds consumers = RingEnds::many;
  /// The node (logical index) on which the slots lie. The node of the consumers is best. Unset: the node on
  /// which the thread that creates the ring runs.
  std::optional<unsigned> node = {};
  PageKind pages = PageKind::automatic;
  /// Describes this machine. It is used only if `node` is set. Unset: Topology::this_machine() is called.
  std::optional<Topology> topology = {};
};

/// Two numbers that a producer attaches to a batch. The library does not interpret them.
struct BatchTag {
  std::uint64_t batch = 0;
  std::uint64_t user = 0;
  friend bool operator==(const BatchTag&, const BatchTag&) = default;
};

/// To wait, a producer or consumer first polls for the time `spin`, and then sleeps. It takes ten
/// microseconds or more to wake a sleeper.
struct RingWaiting {
  /// On a machine with one CPU, 0 is used instead.
  std::chrono::duration<double> spin = std::chrono::microseconds(20);
};

/// Sums over all producers and consumers since the ring was created. The last steps of killed processes may
/// be missing.
struct RingCounts {
  std::uint64_t published = 0;
  std::uint64_t returned = 0;
  std::uint64_t redelivered = 0;     ///< Batches delivered again because their consumer had died.
  std::uint64_t recovered = 0;       ///< Slots taken back from dead producers and consumers.
  std::uint64_t producer_waits = 0;  ///< How often a producer slept until a slot was free.
  std::uint64_t consumer_waits = 0;  ///< How often a consumer slept until a batch was ready.
  std::uint64_t producer_waited_ns = 0;
  std::uint64_t consumer_waited_ns = 0;
};

class RingMember;  // private to the library

/// A slot that a producer has borrowed. If a loan is destroyed before it is published, its slot becomes free
/// again. Movable, not copyable. Precondition: the loan is destroyed before its producer. Thread class: as
/// RingProducer.
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
  /// A view of all rows of the slot. Until the producer writes to them, they contain what an earlier loan
  /// wrote to the slot.
  AnyBatchView view() noexcept;
  /// Publishes the first `rows` rows, so that a consumer gets them. Throws InvalidArgument if the slot has
  /// fewer rows; the loan is then still valid.
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

/// A published batch that a consumer has got. When the lease is destroyed, the slot becomes free again.
/// Movable, not copyable. Precondition: the lease is destroyed before its consumer. Thread class: as
/// RingConsumer.
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
  /// The published rows. They are read-only, because another consumer gets the same rows if this consumer
  /// dies.
  AnyConstBatchView view() const noexcept;
  BatchTag tag() const noexcept;
  /// Whether another consumer had this batch before, and died. How much of the batch it had processed is
  /// unknown.
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

/// A producer borrows slots and fills them. It may have several loans at the same time; batches are delivered
/// in the order of their loans.
///
/// In a forked child, the first call on an inherited producer makes the child join as a new producer. That
/// call throws SystemError (EBUSY) if the ring is for one producer and the parent's producer still takes
/// part. In the child, loans from before the fork do nothing.
///
/// Thread class: one thread at a time. A producer and its loans count as one object.
class NODEWISE_PUBLIC RingProducer {
 public:
  RingProducer(RingProducer&&) noexcept;
  RingProducer& operator=(RingProducer&&) noexcept;
  ~RingProducer();
  /// Waits for a free slot. Returns nullopt if the ring is closed. loan(), loan_for(), try_loan() and the
  /// lease functions of RingConsumer throw FormatError if the state of a slot is damaged: no producer or
  /// consumer can have written it.
  std::optional<RingLoan> loan();
  /// As loan(), but also returns nullopt when `timeout` is over.
  template <class Rep, class Period>
  std::optional<RingLoan> loan_for(const std::chrono::duration<Rep, Period>& timeout) {
    return loan_until(detail::after(timeout));
  }
  /// As loan(), but returns nullopt at once if no slot is free.
  std::optional<RingLoan> try_loan();

 private:
  friend class BatchRing;
  explicit RingProducer(std::unique_ptr<RingMember> member) noexcept;
  std::optional<RingLoan> loan_until(std::chrono::steady_clock::time_point until);
  std::unique_ptr<RingMember> member_;
};

/// A consumer gets batches that producers have published. The rules of RingProducer on forked children and
/// threads also hold for consumers and their leases.
class NODEWISE_PUBLIC RingConsumer {
 public:
  RingConsumer(RingConsumer&&) noexcept;
  RingConsumer& operator=(RingConsumer&&) noexcept;
  ~RingConsumer();
  /// Waits for a batch. After close(), returns nullopt once no batch is ready and no slot is on loan. A
  /// consumer that holds no lease also waits for the leases of others, since a batch comes back if its
  /// consumer dies.
  std::optional<RingLease> lease();
  /// As lease(), but also returns nullopt when `timeout` is over.
  template <class Rep, class Period>
  std::optional<RingLease> lease_for(const std::chrono::duration<Rep, Period>& timeout) {
    return lease_until(detail::after(timeout));
  }
  /// As lease(), but returns nullopt at once if no batch is ready.
  std::optional<RingLease> try_lease();
  /// Whether lease() would return nullopt at once, because the ring is closed and no batch comes any more.
  /// After lease_for() or try_lease() has returned nullopt, this says whether it makes sense to try again.
  bool ended();

 private:
  friend class BatchRing;
  explicit RingConsumer(std::unique_ptr<RingMember> member) noexcept;
  std::optional<RingLease> lease_until(std::chrono::steady_clock::time_point until);
  std::unique_ptr<RingMember> member_;
};

/// The ring. Producers and consumers may start, end and be killed at any moment. Each published batch is
/// delivered to one consumer. If that consumer dies while it holds the batch, another consumer gets it,
/// marked as redelivered. A batch is lost if its producer dies before publishing it. Processes that wait
/// notice a death within some milliseconds. At most 256 producers and consumers take part at one time. Copies
/// share the ring. Thread class: any thread.
class NODEWISE_PUBLIC BatchRing {
 public:
  /// Creates a ring in a segment called `name`. An empty name makes a memfd, which other processes open by
  /// its descriptor. Throws InvalidArgument (bad sizes or name), SystemError (the name is taken: EEXIST; the
  /// pages cannot be populated), PlacementError (the file system has no space, or the node has no memory that
  /// this process may use) and OutOfRange (there is no such node).
  static BatchRing create(const std::string& name, const RingOptions& options);
  /// Throws what Segment::open throws, and InvalidArgument if the segment holds something else. If a killed
  /// job left the ring (its maker is dead and no process holds it), it is removed, and SystemError (ENOENT)
  /// is thrown.
  static BatchRing open(const std::string& name, const Patience& patience = {});
  static BatchRing open_descriptor(int descriptor);

  /// A producer (or consumer), which takes part in the ring until it is destroyed. Throws SystemError (EBUSY)
  /// if 256 producers and consumers take part already, or if the ring is for one producer (or consumer) and
  /// has one already.
  RingProducer producer(const RingWaiting& waiting = {}) const;
  RingConsumer consumer(const RingWaiting& waiting = {}) const;
  /// Closes the ring: after this, loan() returns nullopt. Existing loans may still be published, and
  /// published batches are still delivered.
  void close() const;
  bool closed() const noexcept;
  /// Waits until the ring is closed and all slots are free, but at most for `timeout`. Returns false if the
  /// time ended first. Throws as recover().
  template <class Rep, class Period>
  bool drain(const std::chrono::duration<Rep, Period>& timeout) const {
    return drain_until(detail::after(timeout));
  }
  /// Takes back the slots of dead processes, and returns the number of these slots. A waiting producer or
  /// consumer does the same. If all processes use only the try_ functions, one process should call this now
  /// and then. Throws SystemError.
  unsigned recover() const;
  RingCounts counts() const noexcept;

  std::uint64_t slots() const noexcept;
  std::uint64_t rows() const noexcept;
  std::uint64_t cols() const noexcept;
  DType dtype() const noexcept;
  /// The descriptor of a memfd, for sending it to other processes; else -1.
  int descriptor() const noexcept;
  const std::string& name() const noexcept;
  const Pages& pages() const& noexcept;
  const Pages& pages() const&& noexcept = delete;
  /// The degradations of the placement of the ring. Empty in processes that opened the ring.
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
  bool drain_until(std::chrono::steady_clock::time_point until) const;
  std::shared_ptr<State> state_;
};

}  // namespace nodewise
