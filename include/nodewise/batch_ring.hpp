// Batches handed from process to process without a copy, through a bounded ring that survives the death of
// any process that uses it.
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

/// The number of producers, or of consumers, that may take part at one time. `one` is faster; a second
/// producer (or consumer) is then refused.
enum class RingEnds : unsigned char { one, many };
NODEWISE_PUBLIC std::string_view to_string(RingEnds ends) noexcept;

struct RingOptions {
  std::uint64_t slots = 8;  ///< Batches in flight; rounded up to a power of two, at most 65536.
  /// The most rows that a slot holds, and their columns. With 0 columns a slot holds nothing but the tag, for
  /// handing over data that lies elsewhere, such as batches of a dataset in a segment.
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;
  RingEnds producers = RingEnds::many;
  RingEnds consumers = RingEnds::many;
  /// The node (logical index) where the slots lie: best the node of the consumers. Unset: the node of the
  /// process that makes the ring.
  std::optional<unsigned> node = {};
  PageKind pages = PageKind::automatic;
  std::optional<Topology> topology = {};  ///< Must be this machine; unset: loaded afresh where `node` is set.
};

/// Two words of the caller's that a producer attaches to a batch, and its consumer reads.
struct BatchTag {
  std::uint64_t batch = 0;
  std::uint64_t user = 0;
  friend bool operator==(const BatchTag&, const BatchTag&) = default;
};

/// How long to poll before sleeping. Waking a sleeper takes ten microseconds or more.
struct RingWaiting {
  std::chrono::nanoseconds spin =
      std::chrono::microseconds(20);  ///< No polling where the process may use only one CPU.
};

/// Sums over all producers and consumers that ever took part. The last steps of killed ones may be missing.
struct RingCounts {
  std::uint64_t published = 0;
  std::uint64_t returned = 0;
  std::uint64_t redelivered = 0;     ///< Batches delivered again because their consumer had died.
  std::uint64_t recovered = 0;       ///< Slots taken back from dead producers and consumers.
  std::uint64_t producer_waits = 0;  ///< How often a producer found the ring full (back-pressure).
  std::uint64_t consumer_waits = 0;  ///< How often a consumer found it empty.
  std::uint64_t producer_waited_ns = 0;
  std::uint64_t consumer_waited_ns = 0;
};

class RingMember;  // private to the library

/// A slot to be filled. Unless it is published, its destructor gives the slot back. Movable, not copyable.
/// Precondition: it is destroyed before its producer. Thread class: as its producer.
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
  /// All rows of the slot; they hold whatever was last written there.
  AnyBatchView view() noexcept;
  /// Hands the first `rows` rows over to a consumer. Throws InvalidArgument where a slot has fewer; the loan
  /// is then still valid.
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

/// A batch that was published. Its destructor gives the slot back. Otherwise as RingLoan.
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
  /// The published rows, read-only: if this consumer dies, another one gets the same rows.
  AnyConstBatchView view() const noexcept;
  BatchTag tag() const noexcept;
  /// Whether another consumer held this batch before and died; how far that consumer had processed it is
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

/// Fills slots. Several loans may be out; batches are delivered in the order of their loans. In a forked
/// child the producer registers again at its first call, and loans made before the fork have no effect there.
/// If the ring was made for one producer and the parent's still takes part, the child's first call throws
/// SystemError (EBUSY). Thread class: one thread at a time, loans included: no loan is published or given up
/// while another thread uses its producer.
class NODEWISE_PUBLIC RingProducer {
 public:
  RingProducer(RingProducer&&) noexcept;
  RingProducer& operator=(RingProducer&&) noexcept;
  ~RingProducer();
  /// Waits for a free slot. Returns nullopt once the ring is closed.
  std::optional<RingLoan> loan();
  /// As loan(), but waits at most `timeout`, and then returns nullopt.
  std::optional<RingLoan> loan_for(std::chrono::nanoseconds timeout);
  std::optional<RingLoan> try_loan();

 private:
  friend class BatchRing;
  explicit RingProducer(std::unique_ptr<RingMember> member) noexcept;
  std::unique_ptr<RingMember> member_;
};

/// Reads batches that were published. Otherwise as RingProducer.
class NODEWISE_PUBLIC RingConsumer {
 public:
  RingConsumer(RingConsumer&&) noexcept;
  RingConsumer& operator=(RingConsumer&&) noexcept;
  ~RingConsumer();
  /// Waits for a batch. Returns nullopt once the ring is closed and every batch was given back. After
  /// close(), a consumer that holds a lease gets nullopt as soon as no batch is ready; a consumer that holds
  /// none goes on waiting while others hold leases, because the batches of consumers that die come back.
  std::optional<RingLease> lease();
  std::optional<RingLease> lease_for(std::chrono::nanoseconds timeout);
  std::optional<RingLease> try_lease();

 private:
  friend class BatchRing;
  explicit RingConsumer(std::unique_ptr<RingMember> member) noexcept;
  std::unique_ptr<RingMember> member_;
};

/// The ring, in a segment of its own. Producers and consumers may start, end and be killed at any moment. A
/// batch that was published is delivered to exactly one consumer; if that consumer dies while it holds the
/// batch, the batch is delivered to another one and marked as redelivered. A loan that a dead producer had
/// not published is lost. Other processes notice a death within some milliseconds. At most 256 producers and
/// consumers take part at one time. Copies share the ring. Thread class: any thread.
class NODEWISE_PUBLIC BatchRing {
 public:
  /// Throws InvalidArgument (sizes, name), SystemError (EEXIST: the name is taken; or pages cannot be made
  /// present), PlacementError (the file system has no space, or that node has no memory that this process may
  /// use), OutOfRange (no such node). An empty name makes a memfd.
  static BatchRing create(const std::string& name, const RingOptions& options);
  /// Throws as Segment::open, and InvalidArgument where the segment holds something else.
  static BatchRing open(const std::string& name);
  static BatchRing open_descriptor(int descriptor);

  /// Throws SystemError (EBUSY: the ring is for one producer, or one consumer, and has one, or 256 of them
  /// take part already).
  RingProducer producer(const RingWaiting& waiting = {}) const;
  RingConsumer consumer(const RingWaiting& waiting = {}) const;
  /// From now on no slot is lent. Outstanding loans may still be published, and every published batch is
  /// delivered.
  void close() const;
  bool closed() const noexcept;
  /// Waits at most `timeout` until the ring is closed and every batch was given back; returns whether that is
  /// so. Throws as recover().
  bool drain(std::chrono::nanoseconds timeout) const;
  /// Takes back the slots that dead processes held, and returns their number. Waiting producers and consumers
  /// do so by themselves; where all processes only use the try_ functions, one of them should call this now
  /// and then. Throws SystemError.
  unsigned recover() const;
  RingCounts counts() const noexcept;

  std::uint64_t slots() const noexcept;
  std::uint64_t rows() const noexcept;
  std::uint64_t cols() const noexcept;
  DType dtype() const noexcept;
  int descriptor() const noexcept;  ///< The descriptor of a memfd, to be sent to other processes; else -1.
  const std::string& name() const noexcept;
  const Pages& pages() const& noexcept;
  const Pages& pages() const&& noexcept = delete;
  /// What placing the ring lost. Only the process that made the ring knows it.
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
