// Goal: whatever the order in which producers and consumers take their steps, and wherever one of them dies,
// every published batch is delivered: once, or again and marked, if the consumer that held it died; nobody
// waits for ever, and no slot is lost. Method: the ring's own protocol, run under every interleaving.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>

#include "ring/core.hpp"
#include "ring/interleavings.hpp"

using namespace nodewise;
using ring::Core;
using ring::Mark;
using ring::Owner;
using ring::Ticket;
using test::Interleavings;

namespace {

struct Setting {
  unsigned producers = 2;
  unsigned consumers = 2;
  unsigned batches = 1;  // of each producer
  std::uint64_t slots = 2;
  unsigned crashes = 1;
  bool one_producer = false;  // and plain stores, instead of exchanges
  bool one_consumer = false;
  bool closes_early = false;
  bool sweeps_always = true;  // or only once somebody has died
  unsigned at_once = 1;       // so many leases before a consumer gives any back
};

class Ring {
 public:
  explicit Ring(const Setting& setting) : setting_(setting) {}

  void explore() {
    Interleavings::Program program;
    program.words = static_cast<unsigned>(setting_.slots) + 3;
    program.crashes = setting_.crashes;
    program.begin = [this] { begin(); };
    for (unsigned i = 0; i < setting_.producers; ++i) program.threads.push_back([this] { produce(); });
    for (unsigned i = 0; i < setting_.consumers; ++i) program.threads.push_back([this] { consume(); });
    program.mortal.assign(program.threads.size(), true);
    if (setting_.crashes > 1) program.mortal.back() = false;  // somebody must be left to consume
    program.threads.push_back([this] { close(); });
    program.mortal.push_back(false);
    program.rest = [this] { return rest(); };
    program.memory = std::as_writable_bytes(std::span(&state_, 1));
    program.end = [this] { end(); };
    world_.explore(program);
  }
  Interleavings& world() noexcept { return world_; }

 private:
  struct Word {
    Interleavings* world;
    unsigned index;
    std::uint64_t load() const { return world->load(index); }
    void store(std::uint64_t value) const { world->store(index, value); }
    bool replace(std::uint64_t expected, std::uint64_t value) const {
      return world->replace(index, expected, value);
    }
  };
  struct Memory {
    Interleavings* world;
    const Setting* setting;
    Word cell(std::uint64_t i) const { return {world, static_cast<unsigned>(i) + 3}; }
    Word head() const { return {world, 0}; }
    Word tail() const { return {world, 1}; }
    Word closed() const { return {world, 2}; }
    std::uint64_t slots() const { return setting->slots; }
    bool one_producer() const { return setting->one_producer; }
    bool one_consumer() const { return setting->one_consumer; }
    void mark(Mark) const {}
    [[noreturn]] void refuse(std::uint64_t, std::uint64_t, Ticket) const {
      throw std::runtime_error("words that members left were taken for damaged ones");
    }
  };
  // A thread's lock is held while it lives; a dead one's by one of those who deal with it.
  struct Locks {
    Ring* ring;
    bool is_locked(Owner owner) const {
      const unsigned holder = ring->state_.locked_by[owner];
      return !ring->world_.is_dead(owner) || (holder != nobody && !ring->world_.is_dead(holder));
    }
    bool is_dead(Owner owner) const {
      return ring->world_.step([&] { return !is_locked(owner); });
    }
    bool lock(Owner owner) const {
      return ring->world_.step([&] {
        if (is_locked(owner)) return false;
        ring->state_.locked_by[owner] = ring->world_.running();
        return true;
      });
    }
    // Held by the only one of its kind while it lives, or by one of those who deal with a dead one's.
    bool lock_role(unsigned& lock) const {
      if (lock == ring->world_.running()) return false;  // its own
      return ring->world_.step([&] {
        if (lock != nobody && !ring->world_.is_gone(lock)) return false;
        lock = ring->world_.running();
        return true;
      });
    }
    bool lock_producer() const { return lock_role(ring->state_.producer_lock); }
    bool lock_consumer() const { return lock_role(ring->state_.consumer_lock); }
    void unlock_role(unsigned& lock) const {
      ring->world_.step([&] { return lock = nobody; });
      ring->world_.awaken();
    }
    void unlock_producer() const { unlock_role(ring->state_.producer_lock); }
    void unlock_consumer() const { unlock_role(ring->state_.consumer_lock); }
    void unlock(Owner owner) const {
      ring->world_.step([&] { return ring->state_.locked_by[owner] = nobody; });
    }
  };
  static constexpr unsigned nobody = ~0U;
  static constexpr std::size_t most_tickets = 64;
  static constexpr std::size_t most_owners = 16;
  struct State {  // is copied byte by byte
    bool closed = false;
    std::uint64_t recovered = 0;
    std::array<std::uint8_t, most_tickets> delivered{}, redelivered{};
    std::array<bool, most_tickets> published{}, returned{};
    std::array<unsigned, most_owners> in_hands_of{}, locked_by{};  // by slot, by owner
    unsigned producer_lock = nobody;
    unsigned consumer_lock = nobody;
  };
  struct Held {  // the leases of a consumer
    std::array<Ticket, 4> tickets{};
    std::size_t count = 0;
  };

  Core<Memory> core() { return Core<Memory>(Memory{&world_, &setting_}); }
  void begin() {
    state_ = {};
    state_.in_hands_of.fill(nobody);
    state_.locked_by.fill(nobody);
  }
  static void require(bool sound, const char* what) {
    if (!sound) throw std::runtime_error(what);
  }

  void wait(std::uint64_t since) {
    Locks locks{this};
    if (!setting_.sweeps_always && !world_.somebody_died()) return world_.sleep(since);
    const unsigned found = core().sweep(static_cast<Owner>(world_.running()), locks);
    count_recovered(found);
    if (found == 0) world_.sleep(since);
  }

  // An only producer or consumer has its lock for good. It comes when the one before it is gone.
  void take_role(bool only, unsigned& lock) {
    const Locks locks{this};
    while (only) {
      const auto since = world_.moment();
      if (locks.lock_role(lock)) return;
      world_.sleep(since);
    }
  }
  void count_recovered(unsigned found) {
    state_.recovered += found;
    require(state_.recovered <= setting_.crashes * setting_.slots, "what was recovered is recovered again");
  }

  void produce() {
    const unsigned me = world_.running();
    take_role(setting_.one_producer, state_.producer_lock);
    if (setting_.one_producer) count_recovered(core().settle_loans());
    for (unsigned batch = 0; batch < setting_.batches;) {
      world_.settle(batch);
      const auto since = world_.moment();
      const auto ticket = core().claim(static_cast<Owner>(me));
      if (ticket) {
        const auto slot = core().slot_of(*ticket);
        require(state_.in_hands_of[slot] == nobody || world_.is_dead(state_.in_hands_of[slot]),
                "a slot in two hands");
        state_.in_hands_of[slot] = me;
        core().publish(*ticket);
        state_.in_hands_of[slot] = nobody;
        state_.published[*ticket] = true;
        ++batch;
      } else if (setting_.closes_early && state_.closed) {
        return;
      } else {
        wait(since);
      }
    }
  }

  void consume() {
    const unsigned me = world_.running();
    take_role(setting_.one_consumer, state_.consumer_lock);
    if (setting_.one_consumer) count_recovered(core().settle_leases());
    Held held;
    while (true) {
      std::uint64_t known = 1000;
      for (std::size_t i = 0; i < held.count; ++i) known = known * 64 + held.tickets[i];
      world_.settle(known);
      const auto since = world_.moment();
      const auto taken = core().take(static_cast<Owner>(me));
      if (taken) {
        ++state_.delivered[taken->ticket];
        if (taken->redelivered) ++state_.redelivered[taken->ticket];
        require(state_.published[taken->ticket], "a batch that nobody published");
        held.tickets[held.count++] = taken->ticket;
        if (held.count == setting_.at_once) give_back(held);
      } else if (core().is_drained(static_cast<Owner>(me))) {
        return give_back(held);
      } else {
        wait(since);
      }
    }
  }
  void give_back(Held& held) {
    for (std::size_t i = 0; i < held.count; ++i) {
      core().give_back(held.tickets[i]);
      state_.returned[held.tickets[i]] = true;
    }
    held.count = 0;
  }

  void close() {
    while (!setting_.closes_early && !producers_done()) world_.sleep(world_.moment());
    state_.closed = true;
    core_closed().store(1);
  }
  Word core_closed() { return {&world_, 2}; }
  bool producers_done() const {
    for (unsigned i = 0; i < setting_.producers; ++i)
      if (!world_.has_ended(i) && !world_.is_dead(i)) return false;
    return true;
  }

  std::uint64_t rest() const {
    std::uint64_t hash = (state_.recovered * 2 + (state_.closed ? 1 : 0)) * 17 + state_.producer_lock;
    hash = hash * 31 + state_.consumer_lock;
    for (std::size_t i = 0; i < 16; ++i)
      hash = hash * 31 + state_.delivered[i] + 5 * state_.redelivered[i] + (state_.published[i] ? 11 : 0) +
             (state_.returned[i] ? 13 : 0);
    for (const unsigned holder : state_.locked_by) hash = hash * 17 + holder + 1;
    return hash;
  }

  void end() {
    bool consumer_left = false;
    for (unsigned i = 0; i < setting_.consumers; ++i)
      consumer_left = consumer_left || world_.has_ended(setting_.producers + i);
    for (std::size_t ticket = 0; ticket < state_.delivered.size(); ++ticket) {
      require(!consumer_left || !state_.published[ticket] || state_.returned[ticket],
              "a published batch was lost");
      require(state_.delivered[ticket] <= 1 + state_.redelivered[ticket],
              "a batch delivered twice, and not marked");
      require(state_.redelivered[ticket] <= setting_.crashes,
              "a batch redelivered more often than somebody died");
    }
  }

  Setting setting_;
  Interleavings world_;
  State state_;
};

// What is wrong in some order, or nothing.
std::string fault_of(const Setting& setting) {
  Ring ring(setting);
  try {
    ring.explore();
  } catch (const std::exception& error) {
    return error.what();
  }
  CHECK(ring.world().ends() > 0);
  std::printf("%u producers, %u consumers, %u crash(es): %lu states\n", setting.producers, setting.consumers,
              setting.crashes, static_cast<unsigned long>(ring.world().states()));
  return "";
}

}  // namespace

TEST_CASE("one producer, one consumer, more batches than slots") {
  CHECK(fault_of({.producers = 1, .consumers = 1, .batches = 5, .crashes = 0}) == "");
  CHECK(fault_of({.producers = 1,
                  .consumers = 1,
                  .batches = 5,
                  .crashes = 0,
                  .one_producer = true,
                  .one_consumer = true}) == "");
}

TEST_CASE("one of two dies") {
  CHECK(fault_of({.producers = 1, .consumers = 1, .batches = 2}) == "");
  CHECK(
      fault_of({.producers = 1, .consumers = 1, .batches = 2, .one_producer = true, .one_consumer = true}) ==
      "");
}

TEST_CASE("closed at any moment, one dies") {
  CHECK(fault_of({.producers = 1, .consumers = 1, .batches = 3, .closes_early = true}) == "");
  CHECK(fault_of({.producers = 1,
                  .consumers = 1,
                  .batches = 3,
                  .one_producer = true,
                  .one_consumer = true,
                  .closes_early = true}) == "");
  CHECK(fault_of({.producers = 2, .consumers = 1, .batches = 1, .closes_early = true}) == "");
}

TEST_CASE("who was the only one dies, and another one comes in its place") {
  CHECK(
      fault_of({.producers = 1, .consumers = 2, .batches = 2, .one_producer = true, .one_consumer = true}) ==
      "");
  CHECK(
      fault_of({.producers = 2, .consumers = 1, .batches = 1, .one_producer = true, .one_consumer = true}) ==
      "");
  CHECK(fault_of(
            {.producers = 2, .consumers = 2, .batches = 1, .one_consumer = true, .sweeps_always = false}) ==
        "");
  CHECK(fault_of({.producers = 1,
                  .consumers = 3,
                  .batches = 2,
                  .crashes = 2,
                  .one_producer = true,
                  .one_consumer = true,
                  .sweeps_always = false}) == "");
}

TEST_CASE("an only consumer has several leases at once, and dies") {
  CHECK(fault_of({.producers = 1,
                  .consumers = 2,
                  .batches = 3,
                  .slots = 2,
                  .one_producer = true,
                  .one_consumer = true,
                  .at_once = 2}) == "");
}

TEST_CASE("two producers, one consumer, one dies") {
  CHECK(fault_of({.producers = 2, .consumers = 1, .batches = 1}) == "");
}

TEST_CASE("one producer, two consumers, one dies") {
  CHECK(fault_of(
            {.producers = 1, .consumers = 2, .batches = 2, .one_producer = true, .sweeps_always = false}) ==
        "");
  CHECK(fault_of({.producers = 1, .consumers = 2, .batches = 2, .sweeps_always = false}) == "");
}

TEST_CASE("who deals with the dead dies too") {
  CHECK(
      fault_of(
          {.producers = 1, .consumers = 2, .batches = 2, .slots = 1, .crashes = 2, .sweeps_always = false}) ==
      "");
}

TEST_CASE("two producers, two consumers, one dies") {
  CHECK(fault_of({.sweeps_always = false}) == "");
}
