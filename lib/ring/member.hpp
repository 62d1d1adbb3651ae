// A producer or consumer of a ring: its number, its locks, and how it waits.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include <nodewise/batch_ring.hpp>

#include "os/file.hpp"
#include "os/fork_watch.hpp"
#include "ring/state.hpp"

namespace nodewise {

/// It is never moved, because its loans and leases point to it. Thread class: one thread at a time; it and
/// its loans and leases count as one object.
class RingMember {
 public:
  /// Joins the ring. Throws SystemError.
  RingMember(std::shared_ptr<BatchRing::State> ring, bool producing, const RingWaiting& waiting);
  ~RingMember();
  RingMember(const RingMember&) = delete;
  RingMember& operator=(const RingMember&) = delete;

  using Clock = std::chrono::steady_clock;
  using Deadline = std::optional<Clock::time_point>;
  /// Returns nullopt if there is none at the moment.
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
  /// Waits until there is one, or until the ring is closed (for consumers: and drained), or until `until`.
  std::optional<ring::Ticket> wait_to_claim(Deadline until);
  std::optional<ring::Taken> wait_to_take(Deadline until);
  /// Whether the ring is closed, and this consumer has nothing left to wait for.
  bool is_drained();

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
    call(ring_->memory.control->consumers);  // a later slot may be the next one for them now
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
  /// Loans and leases from another epoch belong to the parent process, or to an earlier membership.
  std::uint64_t epoch() const noexcept { return epoch_; }

 private:
  void join();
  int await_role() const;
  void lock_role() const;
  bool take_number();
  void settle_predecessor();
  unsigned settle_own();
  void let_go() noexcept;
  void leave() noexcept;
  template <class Attempt, class Ended>
  auto wait_for(Attempt attempt, Ended ended, ring::Sleepers& side, Deadline until) -> decltype(attempt());

  // Only this member writes these words, so a load and a store are sufficient.
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
  std::uint64_t role_;  // the byte of its lock if it is the only producer or consumer, else 0
  std::chrono::duration<double> spin_;
  os::File file_;  // its own opening of the segment, which has its locks
  ring::Owner me_ = 0;
  ring::MemberEntry* entry_ = nullptr;
  std::uint64_t epoch_ = 0;
  unsigned vain_calls_ = 0;
  bool settled_ = false;  // every claim from before the closing is visible
  os::ForkWatch fork_watch_;
};

}  // namespace nodewise
