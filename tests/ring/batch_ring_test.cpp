// Goal: what is published is delivered once, in order, to one consumer, whoever comes, goes or is killed; who
// waits is woken; who asks for what cannot be is refused. Method: rings used by threads and by forked
// processes. ring_deaths_test.cpp kills them.
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <thread>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>
#include <nodewise/placement.hpp>

#include "ring/member.hpp"
#include "ring/rings.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::batches;
using test::Child;
using test::code_of;
using test::next;
using test::publish;
using test::tags;
using test::unique_name;
using test::World;

TEST_CASE("batches come in the order of their loans, round and round") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(3, ends));
    CHECK(ring.slots() == 4);
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    for (std::uint64_t round = 0; round < 50; ++round) {
      CHECK_FALSE(next(consumer));
      for (std::uint64_t i = 0; i < 4; ++i) publish(producer, 4 * round + i);
      CHECK_FALSE(producer.try_loan().has_value());
      for (std::uint64_t i = 0; i < 4; ++i) CHECK(next(consumer) == 4 * round + i);
    }
    CHECK(ring.counts().published == 200);
    CHECK(ring.counts().returned == 200);
    CHECK(ring.counts().redelivered == 0);
  }
}

TEST_CASE("what is lent gives itself back, and a slot is not used before it is back") {
  const auto ring = BatchRing::create("", batches(2));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  { const auto unused = producer.loan(); }
  auto late = producer.loan();
  auto early = producer.loan();
  CHECK_FALSE(producer.try_loan().has_value());
  std::move(*early).publish(1, {2, 0});
  CHECK_FALSE(consumer.try_lease().has_value());  // in the order of loans
  CHECK_THROWS_AS(std::move(*late).publish(101), InvalidArgument);
  std::move(*late).publish(100, {1, 0});
  auto first = consumer.lease();
  auto second = consumer.lease();
  CHECK(first->tag().batch == 1);
  CHECK(first->view().rows() == 100);
  CHECK(second->view().rows() == 1);
  second.reset();
  CHECK_FALSE(producer.try_loan().has_value());  // the first one's slot is next
  first.reset();
  CHECK(producer.try_loan().has_value());
}

TEST_CASE("batches of rows pass between processes by name") {
  const auto name = unique_name("rows");
  const auto ring = BatchRing::create(name, batches(4));
  Child other([&] {
    const auto mine = BatchRing::open(name);
    auto producer = mine.producer();
    for (std::uint64_t batch = 0; batch < 500; ++batch) publish(producer, batch, 1 + batch % 100);
    mine.close();
    return mine.drain(10s);
  });
  auto consumer = ring.consumer();
  std::uint64_t expected = 0;
  bool sound = true;
  while (const auto lease = consumer.lease()) {
    const auto rows = lease->view().as<double>();
    sound = sound && lease->tag().batch == expected && rows.rows() == 1 + expected % 100 &&
            rows(rows.rows() - 1, 7) == static_cast<double>(expected) && !lease->redelivered();
    ++expected;
  }
  CHECK(sound);
  CHECK(expected == 500);
  CHECK(other.wait() == 0);
  CHECK(ring.drain(0s));
}

TEST_CASE("of many producers and consumers each batch is had once") {
  constexpr std::uint64_t of_each = 3000;
  const auto ring = BatchRing::create("", tags(8));
  const test::SharedCount sum, count;
  std::vector<std::unique_ptr<Child>> producers, consumers;
  for (std::uint64_t i = 0; i < 3; ++i)
    producers.push_back(std::make_unique<Child>([&ring, i] {
      auto producer = ring.producer();
      for (std::uint64_t batch = 0; batch < of_each; ++batch) publish(producer, i * of_each + batch);
      return true;
    }));
  for (int i = 0; i < 3; ++i)
    consumers.push_back(std::make_unique<Child>([&] {
      auto consumer = ring.consumer();
      while (const auto lease = consumer.lease()) {
        *sum += static_cast<long>(lease->tag().batch);
        ++*count;
      }
      return true;
    }));
  for (auto& child : producers) CHECK(child->wait() == 0);
  ring.close();
  for (auto& child : consumers) CHECK(child->wait() == 0);
  constexpr long all = 3 * of_each;
  CHECK(*count == all);
  CHECK(*sum == all * (all - 1) / 2);
}

TEST_CASE("threads take part as processes do") {
  const auto ring = BatchRing::create("", batches(4));
  std::thread producing([&] {
    auto producer = ring.producer();
    for (std::uint64_t batch = 0; batch < 2000; ++batch) publish(producer, batch, 3);
    ring.close();
  });
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::thread> consuming;
  for (int i = 0; i < 2; ++i)
    consuming.emplace_back([&] {
      auto consumer = ring.consumer();
      while (const auto lease = consumer.lease())
        if (lease->view().as<double>()(2, 7) == static_cast<double>(lease->tag().batch)) ++taken;
    });
  producing.join();
  for (auto& thread : consuming) thread.join();
  CHECK(taken == 2000);
}

TEST_CASE("waiting is bounded, however long and whatever the spin") {
  const auto ring = BatchRing::create("", tags(1));
  auto producer = ring.producer({.spin = 10s});
  auto consumer = ring.consumer({.spin = 10s});
  publish(producer, 1);
  const auto began = std::chrono::steady_clock::now();
  CHECK_FALSE(producer.loan_for(1ms).has_value());
  CHECK(std::chrono::steady_clock::now() - began < 9s);
  CHECK(consumer.lease_for(std::chrono::nanoseconds::max()).has_value());
}

TEST_CASE("where the kernel has no barrier for all, nothing is lost at the end") {
  World world(test::even_machine(1));
  world.faulty.refuse(os::Call::barrier_everywhere, EINVAL);
  const auto ring = BatchRing::create("", tags(4));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  publish(producer, 1);
  ring.close();
  CHECK(next(consumer) == 1);
  CHECK_FALSE(consumer.lease().has_value());
  CHECK(ring.drain(1s));
}

TEST_CASE("closing: nothing more is lent, all that was is delivered, and everybody is told") {
  const auto ring = BatchRing::create("", tags(4));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  publish(producer, 1);
  auto late = producer.loan();
  Child waits([&] {  // for a slot that never comes
    auto other = ring.producer();
    const auto one = other.loan();
    const auto two = other.loan();
    return !other.loan().has_value();
  });
  ::usleep(20000);
  ring.close();
  CHECK(waits.wait() == 0);
  CHECK(ring.closed());
  CHECK_FALSE(producer.loan().has_value());
  CHECK_FALSE(ring.drain(1ms));
  std::move(*late).publish(0, {2, ~std::uint64_t{2}});
  CHECK(consumer.lease()->tag().batch == 1);
  auto held = consumer.lease();
  REQUIRE(held.has_value());
  CHECK(held->tag().batch == 2);
  CHECK_FALSE(consumer.lease().has_value());  // with one in hand it does not wait
  held.reset();
  CHECK_FALSE(consumer.lease().has_value());
  CHECK(ring.drain(1s));
}

TEST_CASE("whoever waits only so long gets nothing in time") {
  const auto ring = BatchRing::create("", tags(1));
  auto producer = ring.producer();
  auto consumer = ring.consumer({.spin = 0ns});
  CHECK_FALSE(consumer.lease_for(10ms).has_value());
  CHECK_FALSE(consumer.lease_for(-1s).has_value());
  publish(producer, 1);
  CHECK_FALSE(producer.loan_for(10ms).has_value());
  const auto counts = ring.counts();
  CHECK(counts.consumer_waits == 2);
  CHECK(counts.producer_waits == 1);
  CHECK(counts.consumer_waited_ns > 0);
  CHECK(consumer.lease_for(1s).has_value());
}

TEST_CASE("a consumer is told whether batches can still come") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(4, ends));
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    CHECK_FALSE(consumer.try_lease().has_value());
    CHECK_FALSE(consumer.ended());
    publish(producer, 1);
    auto loan = producer.loan();
    ring.close();
    CHECK_FALSE(consumer.ended());  // one is ready, and one is on loan
    CHECK(next(consumer) == 1);
    CHECK_FALSE(consumer.ended());
    std::move(*loan).publish(0, {2, 0});
    auto last = consumer.lease();
    CHECK(consumer.ended());  // it holds the last one itself
    last.reset();
    CHECK(consumer.ended());
  }
  const auto ring = BatchRing::create("", tags(4));
  auto producer = ring.producer();
  auto first = ring.consumer(), second = ring.consumer();
  publish(producer, 1);
  auto held = first.lease();
  ring.close();
  CHECK_FALSE(second.ended());  // it comes back if the first consumer dies
  CHECK(first.ended());
  held.reset();
  CHECK(second.ended());
}

TEST_CASE("as many as there is room for take part, and their numbers are used again") {
  const auto ring = BatchRing::create("", tags(2));
  std::vector<RingProducer> members;
  for (unsigned i = 0; i < ring::most_members; ++i) members.push_back(ring.producer());
  CHECK(code_of([&] { ring.consumer(); }) == EBUSY);
  members.erase(members.begin() + 100);
  auto consumer = ring.consumer();
  publish(members.back(), 9);
  CHECK(next(consumer) == 9);
}

TEST_CASE("slots lie on the node of those who read them") {
  World world(test::even_machine(4));
  RingOptions options = batches(8);
  options.node = 2;
  const auto ring = BatchRing::create(unique_name("node"), options);
  CHECK(ring.degradations().empty());
  const Pages& pages = ring.pages();
  const auto where = residency(Topology::this_machine(), pages.data(), pages.size_bytes());
  CHECK(where.bytes_on_node[2] == pages.size_bytes());
  options.node = 7;
  CHECK_THROWS_AS(BatchRing::create("", options), OutOfRange);
  world.faulty.refuse(os::Call::bind, EPERM);
  options.node = 1;
  const auto unbound = BatchRing::create("", options);
  REQUIRE(unbound.degradations().size() == 1);
  CHECK(unbound.degradations()[0].kind == DegradationKind::mbind_refused);
}

TEST_CASE("what cannot be a ring is refused") {
  CHECK_THROWS_AS(BatchRing::create("", tags(0)), InvalidArgument);
  CHECK_THROWS_AS(BatchRing::create("", tags(~std::uint64_t{0})), InvalidArgument);
  RingOptions options = batches(4);
  options.cols = 0;
  CHECK_THROWS_AS(BatchRing::create("", options), InvalidArgument);
  options.cols = options.rows = ~std::uint64_t{0} / 2;
  CHECK_THROWS_AS(BatchRing::create("", options), InvalidArgument);
  CHECK(code_of([] { BatchRing::open(unique_name("none")); }) == ENOENT);
  const auto name = unique_name("ring");
  const auto ring = BatchRing::create(name, batches(4));
  const auto segment = Segment::open(name);
  CHECK(segment.kind() == SegmentKind::ring);
  CHECK(test::contains(test::message_of([&] { static_cast<void>(segment.get_batch(0)); }), "of kind ring"));
  CHECK(code_of([&] { BatchRing::create(name, batches(4)); }) == EEXIST);
}

TEST_CASE("what another process wrote into a slot's words is not believed beyond the slot") {
  const auto name = unique_name("lies");
  const auto ring = BatchRing::create(name, batches(2));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  publish(producer, 1, 5);
  Pages pages = ring.pages();
  auto* const control = reinterpret_cast<ring::Control*>(pages.data());
  auto* const cells = reinterpret_cast<ring::Cell*>(pages.data() + (sizeof *control + 4095) / 4096 * 4096);
  REQUIRE(cells[0].rows == 5);
  cells[0].rows = ~std::uint64_t{0};
  CHECK(consumer.lease()->view().rows() == 100);
}
