// Goal: mutexes, events and barriers between processes do what they say, and go on when those who use them
// are killed: what a dead owner left is repaired first, who waits is let go, in time. Method: forked
// processes, some of which are killed where it hurts or at any moment.
#include <doctest/doctest.h>

#include <mutex>
#include <thread>

#include <nodewise/error.hpp>
#include <nodewise/shared_objects.hpp>

#include "objects/layout.hpp"
#include "objects/shared_objects.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::all_well;
using test::Child;
using test::message_of;
using test::start;

namespace {

// Ends with the mutex in its hands.
void die_holding(const SharedMutex& mutex) {
  Child([&] {
    mutex.lock();
    ::raise(SIGKILL);
    return true;
  }).wait();
}

}  // namespace

TEST_CASE("a mutex that somebody has: others wait no longer than they said") {
  const auto objects = SharedObjects::create("");
  const auto mutex = objects.mutex("mutex");
  CHECK(mutex.try_lock());
  CHECK_FALSE(mutex.try_lock());
  CHECK(message_of<SystemError>([&] { mutex.lock(); }) != "");
  Child other([&] {
    const auto begin = std::chrono::steady_clock::now();
    bool got = mutex.try_lock() || mutex.try_lock_for(30ms);
    got = got || mutex.try_lock_until(std::chrono::system_clock::now() + 30ms);
    got = got || mutex.try_lock_until(std::chrono::steady_clock::now() - 1s);
    const auto took = std::chrono::steady_clock::now() - begin;
    mutex.unlock();  // not its own: nothing happens
    return !got && took >= 60ms && took < 10s && !mutex.try_lock();
  });
  CHECK(other.wait() == 0);
  std::thread waits([&] {
    const std::unique_lock lock(mutex, 10s);
    CHECK(lock.owns_lock());
  });
  ::usleep(20000);
  mutex.unlock();
  waits.join();
  CHECK(mutex.try_lock_for(std::chrono::hours::max()));
  mutex.unlock();
}

TEST_CASE("several mutexes at once, in any order, lock nobody out") {
  const auto objects = SharedObjects::create("");
  const auto counts = objects.array<long>("counts", 2);
  auto children = start(2, [&](int i) {
    auto first = objects.mutex(i == 0 ? "one" : "two");
    auto second = objects.mutex(i == 0 ? "two" : "one");
    for (int round = 0; round < 5000; ++round) {
      const std::scoped_lock lock(first, second);
      ++counts[0];
      --counts[1];
    }
    return true;
  });
  CHECK(all_well(children));
  CHECK(counts[0] == 10000);
  CHECK(counts[1] == -10000);
}

TEST_CASE("killed with the mutex: nobody gets it before what it guards is repaired") {
  const auto objects = SharedObjects::create("");
  const auto mutex = objects.mutex("mutex");
  CHECK_FALSE(mutex.repair([] { FAIL("nothing to repair"); }));
  die_holding(mutex);
  CHECK_THROWS_AS(mutex.lock(), OwnerDied);
  CHECK_THROWS_AS(mutex.try_lock(), OwnerDied);
  CHECK_THROWS_AS(mutex.try_lock_for(1s), OwnerDied);
  CHECK_THROWS_AS(mutex.lock(), Error);
  Child other([&] { return test::contains(message_of<OwnerDied>([&] { mutex.lock(); }), "repair"); });
  CHECK(other.wait() == 0);

  CHECK_THROWS_AS(mutex.repair([] { throw OutOfRange("cannot"); }), OutOfRange);
  CHECK_THROWS_AS(mutex.lock(), OwnerDied);
  Child dies([&] { return mutex.repair([] { ::raise(SIGKILL); }); });
  CHECK(dies.wait() == -SIGKILL);
  CHECK_THROWS_AS(mutex.try_lock(), OwnerDied);

  bool repaired = false;
  CHECK(mutex.repair([&] { repaired = !mutex.try_lock(); }));
  CHECK(repaired);
  CHECK_FALSE(mutex.repair([] {}));
  const std::lock_guard lock(mutex);
}

TEST_CASE("who said how to repair goes on by himself") {
  const auto objects = SharedObjects::create("");
  const auto state = objects.array<int>("state", 1);
  auto mutex = objects.mutex("mutex");
  mutex.when_owner_died([&] {
    if (state[0] == 99) throw OutOfRange("cannot");
    state[0] = 0;
  });
  for (int round = 0; round < 3; ++round) {
    state[0] = 5;
    die_holding(mutex);
    const auto copy = mutex;
    if (round == 0) mutex.lock();
    if (round == 1) CHECK(mutex.try_lock());
    if (round == 2) CHECK(copy.try_lock_for(1s));
    CHECK(state[0] == 0);
    mutex.unlock();
  }
  state[0] = 99;
  die_holding(mutex);
  CHECK_THROWS_AS(mutex.lock(), OutOfRange);
  CHECK_THROWS_AS(objects.mutex("mutex").lock(), OwnerDied);
  state[0] = 1;
  mutex.lock();
  CHECK(state[0] == 0);
  mutex.unlock();
}

TEST_CASE("killed at any moment under the mutex: the sum is right, as the one who finds out repairs it") {
  std::mt19937 random(1);
  const auto objects = SharedObjects::create("");
  const auto pair = objects.array<long>("pair", 2);
  auto mutex = objects.mutex("mutex");
  int repairs = 0;
  mutex.when_owner_died([&] {
    pair[1] = pair[0];
    ++repairs;
  });
  for (int round = 0; round < 150; ++round) {
    test::Signal begun;
    Child busy([&]() -> bool {
      begun.give();
      while (true) {
        const std::lock_guard lock(mutex);
        ++pair[0];
        ::usleep(1);
        ++pair[1];
      }
    });
    begun.await();
    test::sleep_up_to(random, 500);
    busy.kill();
    const std::lock_guard lock(mutex);
    REQUIRE(pair[0] == pair[1]);
  }
  CHECK(repairs > 0);
}

TEST_CASE("an event lets all go who wait for it, and none before") {
  const auto objects = SharedObjects::create("");
  const auto event = objects.event("event");
  const auto waiting = objects.value<int>("waiting");
  CHECK_FALSE(event.is_set());
  CHECK_FALSE(event.wait_for(0s));
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(event.wait_for(70ms));
  CHECK(std::chrono::steady_clock::now() - begin >= 70ms);
  auto children = start(3, [&](int i) {
    waiting.fetch_add(1);
    if (i == 0) event.wait();
    return i == 0 || event.wait_for(std::chrono::nanoseconds::max());
  });
  while (waiting.load() < 3) ::usleep(1000);
  ::usleep(20000);
  event.set();
  event.clear();  // who waited was let go all the same
  CHECK(all_well(children));
  CHECK_FALSE(event.is_set());
  event.set();
  event.set();
  CHECK(event.is_set());
  CHECK(event.wait_for(0s));
  event.wait();
}

TEST_CASE("who sets an event and dies before he wakes anybody: they wake by themselves") {
  const auto objects = SharedObjects::create("");
  const auto event = objects.event("event");
  Child waits([&] { return event.wait_for(20s); });
  ::usleep(30000);
  const Segment segment = Segment::open_descriptor(objects.descriptor(), Access::read_write);
  Pages pages = segment.pages();
  std::byte* const data = pages.data();
  const auto& entry = reinterpret_cast<objects::Directory*>(data)->entries[0];
  const auto begin = std::chrono::steady_clock::now();
  reinterpret_cast<objects::EventCell*>(data + entry.offset)->changes.store(1);
  CHECK(waits.wait() == 0);
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
}

TEST_CASE("a barrier lets nobody on before all have come, round and round") {
  constexpr int parties = 3;
  const auto objects = SharedObjects::create("");
  const auto arrived = objects.value<int>("arrived");
  const auto firsts = objects.value<int>("firsts");
  auto children = start(parties, [&](int) {
    const auto barrier = objects.barrier("barrier", parties);
    for (int round = 0; round < 300; ++round) {
      arrived.fetch_add(1);
      if (barrier.arrive_and_wait() == 0) firsts.fetch_add(1);
      if (arrived.load() < parties * (round + 1)) return false;
      barrier.wait_for(20s);
    }
    return barrier.waiting() == 0 && barrier.parties() == parties;
  });
  CHECK(all_well(children));
  CHECK(firsts.load() == 300);
  CHECK(objects.barrier("alone", 1).arrive_and_wait() == 0);
}

TEST_CASE("who waited too long breaks the barrier for all, until it is reset") {
  const auto objects = SharedObjects::create("");
  const auto barrier = objects.barrier("barrier", 3);
  auto children = start(2, [&](int i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto fault = message_of<BrokenBarrier>([&] {
      if (i == 0)
        barrier.wait_for(100ms);
      else
        barrier.arrive_and_wait();
    });
    return fault != "" && std::chrono::steady_clock::now() - begin < 10s;
  });
  CHECK(all_well(children));
  CHECK(barrier.broken());
  CHECK_THROWS_AS(barrier.arrive_and_wait(), BrokenBarrier);
  CHECK_THROWS_AS(barrier.wait_for(1s), Error);
  barrier.reset();
  CHECK_FALSE(barrier.broken());
  auto again = start(3, [&](int) { return barrier.arrive_and_wait() < 3; });
  CHECK(all_well(again));
}

TEST_CASE("a barrier that is given up or reset: who waits is told, who comes later passes after a reset") {
  for (const bool reset : {false, true}) {
    const auto objects = SharedObjects::create("");
    const auto barrier = objects.barrier("barrier", 2);
    Child waits([&] {
      return test::contains(message_of<BrokenBarrier>([&] { barrier.arrive_and_wait(); }), "reset");
    });
    while (barrier.waiting() == 0) ::usleep(1000);
    if (!reset) barrier.give_up();
    barrier.reset();  // at once: the waiter has hardly looked
    CHECK(waits.wait() == 0);
    barrier.reset();
    auto children = start(2, [&](int) { return barrier.arrive_and_wait() < 2; });
    CHECK(all_well(children));
  }
}

TEST_CASE("who is killed while he waits at a barrier has arrived") {
  const auto objects = SharedObjects::create("");
  const auto barrier = objects.barrier("barrier", 3);
  Child dies([&] { return barrier.arrive_and_wait() == 0; });
  while (barrier.waiting() == 0) ::usleep(1000);
  dies.kill();
  auto children = start(2, [&](int) { return barrier.wait_for(20s) > 0; });
  CHECK(all_well(children));
  CHECK_THROWS_AS(barrier.wait_for(10ms), BrokenBarrier);  // the next time he is missing
}
