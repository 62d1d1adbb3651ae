// Goal: what is published is delivered once, in order, to one consumer, whoever comes, goes or is killed; who
// waits is woken; who asks for what cannot be is refused. Method: rings used by threads, by forked processes,
// and by processes that are killed with a slot in their hands. tools/dev crash kills in between.
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <thread>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>
#include <nodewise/placement.hpp>

#include "shared/ring_member.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::Child;
using test::Signal;
using test::unique_name;
using test::World;

namespace {

RingOptions tags(std::uint64_t slots, RingEnds ends = RingEnds::many) {
  return {.slots = slots, .producers = ends, .consumers = ends};
}

RingOptions batches(std::uint64_t slots) {
  return {.slots = slots, .rows = 100, .cols = 8, .dtype = DType::f64};
}

void publish(RingProducer& producer, std::uint64_t batch, std::uint64_t rows = 0) {
  auto loan = producer.loan();
  REQUIRE(loan.has_value());
  const auto view = loan->view();
  for (std::size_t row = 0; row < rows; ++row)
    for (double& element : view.as<double>().row(row)) element = static_cast<double>(batch);
  std::move(*loan).publish(rows, {batch, ~batch});
}

// The batch that comes next, or nothing.
std::optional<std::uint64_t> next(RingConsumer& consumer) {
  const auto lease = consumer.try_lease();
  if (!lease) return std::nullopt;
  CHECK(lease->tag().user == ~lease->tag().batch);
  return lease->tag().batch;
}

int code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const SystemError& error) {
    return error.code();
  }
  return 0;
}

}  // namespace

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

TEST_CASE("a consumer that is killed with a batch in its hands: another one has it again, marked") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(4, ends));
    Signal holding;
    Child dying([&] {
      auto consumer = ring.consumer();
      const auto lease = consumer.lease();
      holding.give();
      ::pause();
      return true;
    });
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

TEST_CASE("a producer that is killed with a slot in its hands: others go on, nothing comes of it") {
  for (const auto ends : {RingEnds::one, RingEnds::many}) {
    const auto ring = BatchRing::create("", tags(2, ends));
    Signal holding;
    Child dying([&] {
      auto producer = ring.producer();
      publish(producer, 7);
      const auto loan = producer.loan();
      holding.give();
      ::pause();
      return true;
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
    holding.give();
    ::pause();
    return true;
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

TEST_CASE("a consumer without a batch waits for those that others hold, as they may die") {
  const auto ring = BatchRing::create("", tags(4));
  auto producer = ring.producer();
  publish(producer, 5);
  Signal holding;
  Child dying([&] {
    auto consumer = ring.consumer();
    const auto lease = consumer.lease();
    holding.give();
    ::pause();
    return true;
  });
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

TEST_CASE("who died asleep is not called for ever") {
  const auto ring = BatchRing::create("", tags(4));
  const auto& sleepers = reinterpret_cast<ring::Control*>(ring.pages().data())->consumers;
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
  CHECK(unbound.degradations()[0].name == "mbind-refused");
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
  CHECK(Segment::open(name).kind() == SegmentKind::ring);
  CHECK(code_of([&] { BatchRing::create(name, batches(4)); }) == EEXIST);
}

TEST_CASE("what another process wrote into a slot's words is not believed beyond the slot") {
  const auto name = unique_name("lies");
  const auto ring = BatchRing::create(name, batches(2));
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  publish(producer, 1, 5);
  auto* const control = reinterpret_cast<ring::Control*>(ring.pages().data());
  auto* const cells =
      reinterpret_cast<ring::Cell*>(ring.pages().data() + (sizeof *control + 4095) / 4096 * 4096);
  REQUIRE(cells[0].rows == 5);
  cells[0].rows = ~std::uint64_t{0};
  CHECK(consumer.lease()->view().rows() == 100);
}
