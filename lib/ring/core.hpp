// The protocol of the ring: which member (producer or consumer) may write, publish, read and give back which
// slot, and what happens to the slots of members that died. It works on an abstract memory, so that tests can
// run this code with every possible interleaving.
//
// Each slot has one word, which holds a state, a lap (the number of times that the slot was used before) and,
// if a member holds the slot, its owner. The ticket of slot i in lap L is L * slots + i. A slot goes through
// these states:
//
//     free(L) -> writing(L, producer) -> ready(L) -> leased(L, consumer) -> free(L + 1)
//
// There are two other transitions. If the producer gives up or dies: writing -> free(L + 1). If the consumer
// dies: leased -> ready, marked as redelivered. Only this word decides. `tail` and `head` say where to look
// first. The tail is never behind a ticket that is not claimed yet. The head may be beyond a slot that became
// ready again; sweep() moves it back.
//
// If a ring is for one producer or one consumer, claims of that side are not written into slots, because the
// other side reads these words. Then a free slot that the tail has passed is being written, and a ready slot
// that the head has passed is being read. Only the member that holds the lock of that side changes its end of
// the ring.
//
// Owners are numbers of members. A member is alive while it holds its lock, which the kernel releases when
// its process ends. Another member that then gets the lock recovers the slots of the dead member.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <bitset>
#include <cstdint>
#include <optional>

#include "base/mark.hpp"

namespace nodewise::ring {

using Ticket = std::uint64_t;
using Owner = std::uint8_t;

enum class State : unsigned { free, writing, ready, leased };

/// A slot's word: lap (53 bits), owner (8), redelivered (1), state (2).
struct Slot {
  State state = State::free;
  std::uint64_t lap = 0;
  Owner owner = 0;
  bool redelivered = false;

  static constexpr Slot of(std::uint64_t word) noexcept {
    return {static_cast<State>(word & 3), word >> 11, static_cast<Owner>(word >> 3 & 0xff),
            (word >> 2 & 1) != 0};
  }
  constexpr std::uint64_t word() const noexcept {
    return lap << 11 | std::uint64_t{owner} << 3 | std::uint64_t{redelivered} << 2 |
           static_cast<std::uint64_t>(state);
  }
};

using base::Mark;

struct Taken {
  Ticket ticket = 0;
  bool redelivered = false;
};

/// Memory has these members. cell(i), head(), tail() and closed() give words with load(), store(v) and
/// replace(expected, v), which have at least acquire and release order. slots() is a power of two.
/// one_producer() and one_consumer() say whether the ring is for one of them. mark(Mark) is called at each
/// step. refuse(slot, lap, ticket) throws: no member can have left that slot in that lap while that ticket is
/// the next one.
template <class Memory>
class Core {
 public:
  explicit Core(Memory memory) noexcept
      : memory_(memory), lap_shift_(static_cast<unsigned>(std::countr_zero(memory.slots()))) {}

  std::uint64_t slot_of(Ticket ticket) const noexcept { return ticket & (memory_.slots() - 1); }

  /// The next slot to write, in the order of tickets. Returns nullopt if all are in use, or the ring is
  /// closed.
  std::optional<Ticket> claim(Owner me) {
    for (Ticket ticket = memory_.tail().load();;) {
      const auto cell = memory_.cell(slot_of(ticket));
      const std::uint64_t word = cell.load();
      const std::uint64_t lap = lap_of(ticket);
      if (word == Slot{.state = State::free, .lap = lap}.word()) {
        memory_.mark(Mark::claiming);
        const Slot mine{.state = State::writing, .lap = lap, .owner = me};
        if (!memory_.one_producer() && !cell.replace(word, mine.word())) continue;
        memory_.mark(Mark::claimed);
        move_on(memory_.tail(), ticket, ticket + 1, memory_.one_producer());
        // A process that closes the ring makes every processor execute a barrier between these two accesses.
        // This fence is only for the compiler.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (memory_.closed().load() == 0) return ticket;
        // Closed before it was claimed: a member that checks for the end must not miss this slot.
        abandon(ticket);
        return std::nullopt;
      }
      const std::uint64_t found = Slot::of(word).lap;
      if (found < lap) {  // still in use from the lap before
        check_behind(ticket, found);
        return std::nullopt;
      }
      if (found > lap) static_cast<void>(first_open(ticket, found));
      move_on(memory_.tail(), ticket, ticket + 1, memory_.one_producer());
      ticket = memory_.tail().load();
    }
  }

  void publish(Ticket ticket) {
    memory_.mark(Mark::publishing);
    memory_.cell(slot_of(ticket)).store(Slot{.state = State::ready, .lap = lap_of(ticket)}.word());
    memory_.mark(Mark::published);
  }

  void abandon(Ticket ticket) {
    memory_.mark(Mark::abandoning);
    set_free(ticket);
  }

  /// The next slot to read. Returns nullopt if none is ready.
  std::optional<Taken> take(Owner me) {
    for (Ticket ticket = memory_.head().load();;) {
      const auto cell = memory_.cell(slot_of(ticket));
      const std::uint64_t word = cell.load();
      const Slot slot = Slot::of(word);
      const std::uint64_t lap = lap_of(ticket);
      if (slot.lap == lap && slot.state == State::ready) {
        memory_.mark(Mark::taking);
        const Slot mine{.state = State::leased, .lap = lap, .owner = me};
        if (!memory_.one_consumer() && !cell.replace(word, mine.word())) continue;
        memory_.mark(Mark::taken);
        move_on(memory_.head(), ticket, ticket + 1, memory_.one_consumer());
        return Taken{ticket, slot.redelivered};
      }
      if (slot.lap < lap) {
        check_behind(ticket, slot.lap);
        return std::nullopt;
      }
      if (slot.lap == lap && slot.state != State::leased) return std::nullopt;
      const Ticket next = slot.lap > lap ? first_open(ticket, slot.lap) : ticket + 1;
      move_on(memory_.head(), ticket, next, memory_.one_consumer());
      ticket = memory_.head().load();
    }
  }

  void give_back(Ticket ticket) {
    memory_.mark(Mark::returning);
    set_free(ticket);
    memory_.mark(Mark::returned);
  }

  /// Recovers all slots that a dead member owned. Preconditions, which cannot be checked here: the caller
  /// holds the lock of that member, and the member is dead. Returns the number of slots.
  unsigned recover(Owner dead) {
    unsigned found = 0;
    memory_.mark(Mark::recovering);
    for (std::uint64_t i = 0; i < memory_.slots(); ++i) {
      const Slot slot = Slot::of(memory_.cell(i).load());
      if (slot.owner != dead || (slot.state != State::writing && slot.state != State::leased)) continue;
      ++found;
      const Ticket ticket = ticket_of(slot, i);
      if (slot.state == State::writing) {
        set_free(ticket);
        memory_.mark(Mark::recovered_slot);
      } else {
        memory_.cell(i).store(Slot{.state = State::ready, .lap = slot.lap, .redelivered = true}.word());
        memory_.mark(Mark::recovered_slot);
        take_head_back(ticket);
      }
    }
    memory_.mark(Mark::recovered);
    return found;
  }

  /// Gives up the loans of the only producer. Precondition, which cannot be checked here: either the caller
  /// is the only producer, and has just joined or is about to leave; or the caller holds its lock, and no
  /// producer is alive. Returns the number of slots.
  unsigned settle_loans() {
    unsigned found = 0;
    for (std::uint64_t i = 0; i < memory_.slots(); ++i) {
      const Slot slot = Slot::of(memory_.cell(i).load());
      if (!is_on_loan(slot, i)) continue;
      ++found;
      set_free(ticket_of(slot, i));
      memory_.mark(Mark::recovered_slot);
    }
    return found;
  }

  /// The same for the only consumer; its leases become ready again.
  unsigned settle_leases() {
    unsigned found = 0;
    Ticket first = memory_.head().load();
    for (std::uint64_t i = 0; i < memory_.slots(); ++i) {
      const Slot slot = Slot::of(memory_.cell(i).load());
      if (!is_on_lease(slot, i)) continue;
      ++found;
      first = std::min(first, ticket_of(slot, i));
      memory_.cell(i).store(Slot{.state = State::ready, .lap = slot.lap, .redelivered = true}.word());
      memory_.mark(Mark::recovered_slot);
    }
    if (found > 0) memory_.head().store(first);
    return found;
  }

  /// Examines every slot. Recovers the slots of dead owners, and moves the head back if a ready slot is
  /// behind it. `locks` knows which owners are dead, and takes their locks: is_dead(owner), lock(owner),
  /// unlock(owner). For an only producer or consumer it has lock_producer() and lock_consumer(), which fail
  /// while there is one, and unlock_...(). Returns the number of slots that were recovered.
  template <class Locks>
  unsigned sweep(std::optional<Owner> me, Locks& locks) {
    unsigned found = 0;
    bool on_loan = false;
    bool on_lease = false;
    std::bitset<256> asked;  // owners: each may hold many slots, and asking takes a system call
    for (std::uint64_t i = 0; i < memory_.slots(); ++i) {
      const Slot slot = Slot::of(memory_.cell(i).load());
      on_loan = on_loan || is_on_loan(slot, i);
      on_lease = on_lease || is_on_lease(slot, i);
      const bool owned = slot.state == State::writing || slot.state == State::leased;
      if (owned && slot.owner != me && !asked[slot.owner]) {
        asked[slot.owner] = true;
        if (!locks.is_dead(slot.owner) || !locks.lock(slot.owner)) continue;
        found += recover(slot.owner);
        locks.unlock(slot.owner);
      } else if (slot.state == State::ready && !memory_.one_consumer()) {
        take_head_back(ticket_of(slot, i));
      }
    }
    if (on_loan && locks.lock_producer()) {
      found += settle_loans();
      locks.unlock_producer();
    }
    if (on_lease && locks.lock_consumer()) {
      found += settle_leases();
      locks.unlock_consumer();
    }
    return found;
  }

  /// Whether no member holds a slot, and no slot is ready.
  bool is_empty() const {
    for (std::uint64_t i = 0; i < memory_.slots(); ++i) {
      const Slot slot = Slot::of(memory_.cell(i).load());
      if (slot.state != State::free || is_on_loan(slot, i)) return false;
    }
    return true;
  }

  /// Whether the ring is closed and a consumer has nothing left to wait for. A consumer that holds no slot
  /// also waits for the slots of others, because they become ready again if their owners die.
  bool is_drained(Owner me) const {
    if (memory_.closed().load() == 0) return false;
    bool holds = false;
    bool others_hold = false;
    for (std::uint64_t i = 0; i < memory_.slots(); ++i) {
      const Slot slot = Slot::of(memory_.cell(i).load());
      if (is_on_lease(slot, i)) {
        holds = true;  // the caller is the only consumer
      } else if (slot.state == State::leased) {
        (slot.owner == me ? holds : others_hold) = true;
      } else if (slot.state != State::free || is_on_loan(slot, i)) {
        return false;
      }
    }
    return holds || !others_hold;
  }

 private:
  std::uint64_t lap_of(Ticket ticket) const noexcept { return ticket >> lap_shift_; }
  Ticket ticket_of(const Slot& slot, std::uint64_t index) const noexcept {
    return (slot.lap << lap_shift_) + index;
  }

  bool is_on_loan(const Slot& slot, std::uint64_t index) const {
    return memory_.one_producer() && slot.state == State::free &&
           ticket_of(slot, index) < memory_.tail().load();
  }
  bool is_on_lease(const Slot& slot, std::uint64_t index) const {
    return memory_.one_consumer() && slot.state == State::ready &&
           ticket_of(slot, index) < memory_.head().load();
  }

  void set_free(Ticket ticket) {
    memory_.cell(slot_of(ticket)).store(Slot{.state = State::free, .lap = lap_of(ticket) + 1}.word());
  }

  // Precondition: `found`, a slot's lap, is before the ticket's. An end passes a ticket only when its slot
  // has left the lap before.
  void check_behind(Ticket ticket, std::uint64_t found) const {
    if (found + 1 < lap_of(ticket)) memory_.refuse(slot_of(ticket), found, ticket);
  }

  // Precondition: `found`, a slot's lap, is beyond the ticket's. Returns the first ticket that may not have
  // ended. A ticket is claimed when the one before in its slot has ended, and the tail never stands behind a
  // ticket that was claimed: so no slot is more than a lap beyond the tail, and every ticket that lies all
  // slots behind the tail has ended.
  Ticket first_open(Ticket ticket, std::uint64_t found) const {
    const Ticket tail = memory_.tail().load();
    if (found > lap_of(tail) + 1) memory_.refuse(slot_of(ticket), found, tail);
    return std::max(ticket + 1, tail > memory_.slots() ? tail - memory_.slots() : 0);
  }

  // Moves an end past a ticket that cannot be claimed or taken any more. Another member may have moved it
  // already.
  template <class Word>
  static void move_on(const Word& word, Ticket ticket, Ticket next, bool alone) {
    if (alone)
      word.store(next);
    else
      word.replace(ticket, next);
  }

  void take_head_back(Ticket ticket) {
    for (Ticket head = memory_.head().load(); ticket < head; head = memory_.head().load())
      if (memory_.head().replace(head, ticket)) return;
  }

  Memory memory_;
  unsigned lap_shift_;  // stored, because a division would cost more than everything else here
};

}  // namespace nodewise::ring
