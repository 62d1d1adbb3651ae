// Goal: who dies with slots of a ring in his hands, or forks, costs the others nothing: what was published is
// delivered, again and marked where its consumer died; slots come back; nobody waits for ever. Method:
// processes that are killed with a slot in their hands. tools/dev crash kills at every step in between.
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>

#include "os/fakes/faulty.hpp"
#include "os/file.hpp"
#include "ring/layout.hpp"
#include "ring/member.hpp"
#include "ring/rings.hpp"
#include "support/process.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::Child;
using test::code_of;
using test::next;
using test::publish;
using test::Signal;
using test::tags;

namespace {

// The life of a child that gets a batch, and dies with it.
bool keep_a_batch(const BatchRing& ring, const Signal& holding) {
  auto consumer = ring.consumer();
  const auto lease = consumer.lease();
  return holding.give_and_stay();
}

// Whether who waits, for a slot that does not come, takes back what the dead had.
bool recovered_while_waiting(const BatchRing& ring, RingProducer& producer, std::uint64_t slots) {
  constexpr int patience = 500;
  for (int tries = 0; tries < patience && ring.counts().recovered < slots; ++tries)
    if (producer.loan_for(20ms)) return false;
  return ring.counts().recovered == slots;
}

}  // namespace

TEST_CASE("a consumer that is killed with a batch in its hands: another one has it again, marked") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(4, ends));
    Signal holding;
    Child dying([&] { return keep_a_batch(ring, holding); });
    auto producer = ring.producer();
    for (std::uint64_t batch = 0; batch < 4; ++batch) publish(producer, batch);
    holding.await();
    CHECK_FALSE(producer.try_loan().has_value());
    dying.kill();
    auto consumer = ring.consumer();
    std::array<int, 4> times{};
    for (int i = 0; i < 4; ++i) {
      const auto lease = consumer.lease_for(5s);
      REQUIRE(lease.has_value());
      ++times[lease->tag().batch];
      CHECK(lease->redelivered() == (lease->tag().batch == 0));
    }
    CHECK(times == std::array<int, 4>{1, 1, 1, 1});
    CHECK(ring.counts().redelivered == 1);
    CHECK(ring.recover() == 0);
  }
}

TEST_CASE("who takes a dead only member's place waits for a process that is just recovering its slots") {
  const auto ring = BatchRing::create("", tags(4, RingEnds::one));
  os::Os& os = os::current();
  for (const std::uint64_t only : {ring::only_producer_byte, ring::only_consumer_byte}) {
    const os::File recovers(os.reopen(ring.descriptor(), true));
    for (const std::uint64_t byte : {ring::recovering_byte(only), only})
      REQUIRE(os.lock_byte(recovers.descriptor(), byte, os::Lock::exclusive, false) == 0);
    std::thread ends([&] {
      std::this_thread::sleep_for(400ms);
      for (const std::uint64_t byte : {only, ring::recovering_byte(only)})
        os.unlock_byte(recovers.descriptor(), byte);
    });
    if (only == ring::only_producer_byte)
      CHECK_NOTHROW(ring.producer());
    else
      CHECK_NOTHROW(ring.consumer());
    ends.join();
  }
  const auto producer = ring.producer();
  CHECK(code_of([&] { ring.producer(); }) == EBUSY);
}

TEST_CASE("recovery asks the kernel once for each owner, not for each slot") {
  os::Faulty counting(os::real());
  const os::Scoped scoped(counting);
  const auto ring = BatchRing::create("", tags(1024));
  auto producer = ring.producer();
  for (std::uint64_t batch = 0; batch < 1024; ++batch) publish(producer, batch);
  auto first = ring.consumer(), second = ring.consumer();
  std::vector<RingLease> leases;
  for (int i = 0; i < 512; ++i) {
    leases.push_back(*first.lease());
    leases.push_back(*second.lease());
  }
  const auto before = counting.calls(os::Call::is_byte_locked);
  CHECK(ring.recover() == 0);
  CHECK(counting.calls(os::Call::is_byte_locked) - before == 2);
}

TEST_CASE("words of a ring that cannot be are thrown as damage; no wait goes on past its time") {
  // Method: each word alone is set to what no member ever writes; then everything is tried.
  using Damage = std::function<void(ring::Control&, ring::Cell&)>;
  constexpr std::uint64_t far = std::uint64_t{1} << 40;
  const auto in_lap = [](ring::State state, std::uint64_t lap) {
    return
        [=](ring::Control&, ring::Cell& cell) { cell.word = ring::Slot{.state = state, .lap = lap}.word(); };
  };
  const std::vector<Damage> damages = {
      in_lap(ring::State::free, far),
      in_lap(ring::State::ready, far),
      in_lap(ring::State::free, far << 12),
      in_lap(ring::State::free, 3),
      [](ring::Control&, ring::Cell& cell) { cell.word = ~std::uint64_t{0}; },
      [](ring::Control& control, ring::Cell&) { control.tail = far; },
      [](ring::Control& control, ring::Cell&) { control.tail = ~std::uint64_t{0}; },
      [](ring::Control& control, ring::Cell&) { control.head = far; },
      [](ring::Control& control, ring::Cell&) { control.head = ~std::uint64_t{0}; },
  };
  for (const auto ends : {RingEnds::one, RingEnds::many})
    for (const std::uint64_t slots : {1U, 4U})
      for (std::size_t i = 0; i < damages.size(); ++i) {
        CAPTURE(i);
        CAPTURE(slots);
        const auto name = test::unique_name("damaged");
        const auto ring = BatchRing::create(name, tags(slots, ends));
        const Segment segment = Segment::open(name, Access::read_write);
        Pages pages = segment.pages();
        auto& control = *reinterpret_cast<ring::Control*>(pages.data());
        auto* const cells =
            reinterpret_cast<ring::Cell*>(pages.data() + (sizeof control + 4095) / 4096 * 4096);
        auto producer = ring.producer();
        auto consumer = ring.consumer();
        damages[i](control, cells[0]);
        std::string said;
        const auto began = std::chrono::steady_clock::now();
        for (int tries = 0; tries < 8; ++tries) {
          said += test::message_of<FormatError>([&] {
            if (auto loan = producer.loan_for(5ms)) std::move(*loan).publish(0);
          });
          said += test::message_of<FormatError>([&] { consumer.lease_for(5ms); });
        }
        CHECK(std::chrono::steady_clock::now() - began < 10s);
        CHECK(test::contains(said, name));
        CHECK(test::contains(said, "damaged"));
      }
}

TEST_CASE("loans that are given up do not make the next lease slow: the head passes them at once") {
  const auto ring = BatchRing::create("", tags(2));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  for (int i = 0; i < 100'000; ++i) producer.loan();
  publish(producer, 7);
  CHECK(next(consumer) == 7);
}

TEST_CASE("a consumer that is killed with several batches in its hands, out of their order") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(4, ends));
    Signal holding;
    Child dying([&] {
      auto consumer = ring.consumer();
      const auto first = consumer.lease();
      auto second = consumer.lease();
      const auto third = consumer.lease();
      second.reset();
      return holding.give_and_stay();
    });
    auto producer = ring.producer();
    for (std::uint64_t batch = 0; batch < 4; ++batch) publish(producer, batch);
    holding.await();
    CHECK(ring.recover() == 0);
    dying.kill();
    CHECK(recovered_while_waiting(ring, producer, 2));
    CHECK(ring.recover() == 0);
    auto consumer = ring.consumer();
    for (const std::uint64_t batch : {0U, 2U, 3U}) {
      const auto lease = consumer.try_lease();
      REQUIRE(lease.has_value());
      CHECK(lease->tag().batch == batch);
      CHECK(lease->redelivered() == (batch != 3));
    }
    CHECK_FALSE(consumer.try_lease().has_value());
    for (std::uint64_t batch = 4; batch < 8; ++batch) publish(producer, batch);
    for (std::uint64_t batch = 4; batch < 8; ++batch) CHECK(next(consumer) == batch);
  }
}

TEST_CASE("who spins for hours looks after the dead, too") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(2, ends));
    Signal holding;
    Child dying([&] { return keep_a_batch(ring, holding); });
    auto producer = ring.producer({.spin = 1h});
    publish(producer, 0);
    holding.await();
    publish(producer, 1);
    dying.kill();
    CHECK(recovered_while_waiting(ring, producer, 1));
    auto consumer = ring.consumer({.spin = 1h});
    CHECK(next(consumer) == 0);
    CHECK(next(consumer) == 1);
  }
}

TEST_CASE("a producer that is killed with a slot in its hands: others go on, nothing comes of it") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(2, ends));
    Signal holding;
    Child dying([&] {
      auto producer = ring.producer();
      publish(producer, 7);
      const auto loan = producer.loan();
      return holding.give_and_stay();
    });
    holding.await();
    auto consumer = ring.consumer();
    CHECK(next(consumer) == 7);
    if (ends == RingEnds::one) CHECK(code_of([&] { ring.producer(); }) == EBUSY);
    dying.kill();
    auto producer = ring.producer();
    for (std::uint64_t batch = 8; batch < 20; ++batch) {
      publish(producer, batch);
      const auto lease = consumer.lease_for(5s);
      REQUIRE(lease.has_value());
      CHECK(lease->tag().batch == batch);
    }
  }
}

TEST_CASE("those who are called all the time still notice that somebody died") {
  const auto ring = BatchRing::create("", tags(4096));
  Signal holding;
  Child dying([&] {
    auto producer = ring.producer();
    const auto loan = producer.loan();  // the first: nothing is delivered before it is settled
    return holding.give_and_stay();
  });
  holding.await();
  auto producer = ring.producer();
  Child consuming([&] {
    auto consumer = ring.consumer({.spin = 0ns});
    return consumer.lease().has_value();
  });
  ::usleep(10000);
  dying.kill();
  unsigned published = 0;
  for (; published < 4000 && ring.counts().returned == 0; ++published) {
    publish(producer, published);
    ::usleep(500);
  }
  CHECK(published < 1000);
  CHECK(consuming.wait() == 0);
}

TEST_CASE("a consumer without a batch waits for those that others hold, as they may die") {
  const auto ring = BatchRing::create("", tags(4));
  auto producer = ring.producer();
  publish(producer, 5);
  Signal holding;
  Child dying([&] { return keep_a_batch(ring, holding); });
  holding.await();
  ring.close();
  Child waiting([&] {
    auto consumer = ring.consumer();
    const auto lease = consumer.lease();
    return lease && lease->redelivered() && lease->tag().batch == 5;
  });
  ::usleep(20000);
  dying.kill();
  CHECK(waiting.wait() == 0);
}

TEST_CASE("who died asleep is not called for ever") {
  const auto ring = BatchRing::create("", tags(4));
  const auto& sleepers = reinterpret_cast<const ring::Control*>(ring.pages().data())->consumers;
  const auto asleep = [&] { return sleepers.members[0].load(); };
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  const auto fall_asleep = [&] {
    auto other = ring.consumer({.spin = 0ns});
    return other.lease().has_value();
  };
  Child sleeping(fall_asleep);
  for (int tries = 0; tries < 1000 && asleep() == 0; ++tries) ::usleep(1000);
  sleeping.kill();
  REQUIRE(asleep() == 4);
  SUBCASE("others strike him off") {
    for (std::uint64_t batch = 0; batch < 200; ++batch) {
      publish(producer, batch);
      CHECK(next(consumer) == batch);
    }
  }
  SUBCASE("and who gets his number") {
    const auto third = ring.producer();
  }
  CHECK(asleep() == 0);
}

TEST_CASE("a forked child takes part anew, and its parent's slots are not its own") {
  const auto ring = BatchRing::create("", tags(4));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  publish(producer, 1);
  auto lease = consumer.lease();
  auto loan = producer.loan();
  Child child([&] {
    lease.reset();
    loan.reset();  // not the child's to give back
    publish(producer, 3);
    return true;
  });
  CHECK(child.wait() == 0);
  CHECK_FALSE(consumer.try_lease().has_value());  // the parent's own loan comes first
  std::move(*loan).publish(0, {2, ~std::uint64_t{2}});
  CHECK(lease->tag().batch == 1);
  lease.reset();
  CHECK(next(consumer) == 2);
  CHECK(next(consumer) == 3);
}

TEST_CASE("a parent that dies is dead, though its child lives") {
  const auto ring = BatchRing::create("", tags(2));
  Signal holding;
  const test::SharedCount grandchild;
  Child parent([&] {
    auto consumer = ring.consumer();
    const auto lease = consumer.lease();
    const pid_t forked = ::fork();
    if (forked != 0) {
      *grandchild = forked;
      holding.give();
    }
    ::pause();
    return true;
  });
  auto producer = ring.producer();
  publish(producer, 1);
  holding.await();
  parent.kill();
  auto consumer = ring.consumer();
  const auto lease = consumer.lease_for(5s);
  REQUIRE(lease.has_value());
  CHECK(lease->redelivered());
  ::kill(static_cast<pid_t>(*grandchild), SIGKILL);
}
