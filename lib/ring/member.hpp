// A producer or a consumer of a ring: its number, its lock, and how it waits.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <nodewise/batch_ring.hpp>
#include <nodewise/deadline.hpp>

#include "os/file.hpp"
#include "os/fork_watch.hpp"
#include "ring/core.hpp"
#include "ring/layout.hpp"
#include "segment/file.hpp"

namespace nodewise {

/// The words of a ring in shared memory.
struct RingMemory {
  ring::Control* control = nullptr;
  ring::Cell* cells = nullptr;
  std::uint64_t slot_count = 0;
  bool only_producer = false;
  bool only_consumer = false;

  class Word {
   public:
    explicit Word(std::atomic<std::uint64_t>& word) noexcept : word_(word) {}
    std::uint64_t load() const noexcept { return word_.load(std::memory_order_acquire); }
    void store(std::uint64_t value) const noexcept { word_.store(value, std::memory_order_release); }
    bool replace(std::uint64_t expected, std::uint64_t value) const noexcept {
      return word_.compare_exchange_strong(expected, value);
    }

   private:
    std::atomic<std::uint64_t>& word_;
  };

  Word cell(std::uint64_t slot) const noexcept { return Word(cells[slot].word); }
  Word head() const noexcept { return Word(control->head); }
  Word tail() const noexcept { return Word(control->tail); }
  Word closed() const noexcept { return Word(control->closed); }
  std::uint64_t slots() const noexcept { return slot_count; }
  bool one_producer() const noexcept { return only_producer; }
  bool one_consumer() const noexcept { return only_consumer; }
  static void mark(base::Mark mark) { base::pass(mark); }
};

struct BatchRing::State {
  std::shared_ptr<SegmentFile> file;
  Pages pages;
  RingMemory memory;
  std::byte* slots = nullptr;
  std::uint64_t slot_bytes = 0;  // apart
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;
  std::vector<Degradation> degradations;

  ring::Core<RingMemory> core() const noexcept { return ring::Core<RingMemory>(memory); }
  /// An opening of the segment's file whose locks are its own. Throws SystemError.
  os::File open_again() const;
  AnyBatchView view(std::uint64_t slot, std::uint64_t row_count) const noexcept {
    return {slots + slot * slot_bytes, dtype, row_count, cols, cols};
  }
};

struct RingRecovery {
  /// Deals with all dead members of a ring through an opening of its file, by a member or by none, and wakes
  /// who may have waited for them. `own_role`: the lock of an only one of its kind that the caller has, or 0.
  /// How many slots they held.
  static unsigned of(const BatchRing::State& ring, int descriptor, std::optional<ring::Owner> me,
                     std::uint64_t own_role);
  /// Returns when whatever was claimed before the ring was seen to be closed can be seen too.
  static void settle_closing();
};

/// Thread class: one thread at a time, its loans and leases included. Stays where it is, as they point to it.
class RingMember {
 public:
  /// Takes part. Throws SystemError.
  RingMember(std::shared_ptr<BatchRing::State> ring, bool producing, const RingWaiting& waiting);
  ~RingMember();
  RingMember(const RingMember&) = delete;
  RingMember& operator=(const RingMember&) = delete;

  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;
  /// Nothing if there is none now.
  std::optional<ring::Ticket> claim() {
    if (!file_.is_open()) [[unlikely]]
      join();
    return core_.claim(me_);
  }
  std::optional<ring::Taken> take() {
    if (!file_.is_open()) [[unlikely]]
      join();
    return core_.take(me_);
  }
  /// Until there is one, the ring is closed (and drained), or it is `until`.
  std::optional<ring::Ticket> wait_to_claim(Deadline until);
  std::optional<ring::Taken> wait_to_take(Deadline until);

  void publish(ring::Ticket ticket, std::uint64_t rows, const BatchTag& tag) {
    ring::Cell& cell = ring_->memory.cells[core_.slot_of(ticket)];
    cell.rows.store(rows, std::memory_order_relaxed);
    cell.tag = tag;
    core_.publish(ticket);
    count(entry_->published);
    call(ring_->memory.control->consumers);
  }
  void abandon(ring::Ticket ticket) {
    core_.abandon(ticket);
    call(ring_->memory.control->producers);
    call(ring_->memory.control->consumers);  // a later slot may be next for them now
  }
  void give_back(ring::Ticket ticket) {
    core_.give_back(ticket);
    count(entry_->returned);
    call(ring_->memory.control->producers);
    if (ring_->memory.closed().load() != 0) call(ring_->memory.control->consumers);  // they wait for the end
  }
  void count_redelivery() { count(entry_->redelivered); }
  unsigned recover();

  const ring::Cell& cell(ring::Ticket ticket) const { return ring_->memory.cells[core_.slot_of(ticket)]; }
  std::uint64_t slot_of(ring::Ticket ticket) const { return core_.slot_of(ticket); }
  const BatchRing::State& ring() const noexcept { return *ring_; }
  /// Loans and leases of another epoch are a parent's, or of a time before.
  std::uint64_t epoch() const noexcept { return epoch_; }
  /// How many were woken.
  static unsigned wake(ring::Sleepers& side, unsigned sleepers);
  /// All producers and consumers that sleep.
  static void wake_all(ring::Control& control);

 private:
  void join();
  void lock_role() const;
  bool take_number();
  void settle_predecessor();
  unsigned settle_own();
  void let_go() noexcept;
  void leave() noexcept;
  template <class Attempt, class Ended>
  auto wait_for(Attempt attempt, Ended ended, ring::Sleepers& side, Deadline until) -> decltype(attempt());

  // Its own words alone: a load and a store do.
  static void count(std::atomic<std::uint64_t>& number, std::uint64_t more = 1) noexcept {
    number.store(number.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  void call(ring::Sleepers& side) {
    if (side.are_there()) [[unlikely]]
      wake_one(side);
  }
  void wake_one(ring::Sleepers& side);
  std::shared_ptr<BatchRing::State> ring_;
  ring::Core<RingMemory> core_;
  bool producing_;
  std::uint64_t role_;  // the byte of its lock as the only one of its kind, or 0
  std::chrono::nanoseconds spin_;
  os::File file_;  // its own opening of the segment, which carries its locks
  ring::Owner me_ = 0;
  ring::MemberEntry* entry_ = nullptr;
  std::uint64_t epoch_ = 0;
  unsigned vain_calls_ = 0;
  bool settled_ = false;  // every claim from before the closing can be seen
  os::ForkWatch fork_watch_;
};

}  // namespace nodewise
