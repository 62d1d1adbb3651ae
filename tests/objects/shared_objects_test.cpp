// Goal: objects with names are the same to all processes; nobody sees half of a change, whoever is killed at
// whatever moment; what cannot be is refused. Method: forked processes, some of which are killed at any
// moment, threads, and directories with damaged words.
#include <doctest/doctest.h>
#include <sched.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include <nodewise/error.hpp>
#include <nodewise/shared_objects.hpp>

#include "objects/layout.hpp"
#include "objects/shared_objects.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::all_well;
using test::Child;
using test::contains;
using test::message_of;
using test::Record;
using test::Signal;
using test::start;
using test::unique_name;

TEST_CASE("a value that a worker sets, and ten integers that it writes") {
  const auto objects = SharedObjects::create("");
  const auto answer = objects.value("answer", 0);
  const auto numbers = objects.array<int>("numbers", 10);
  Child worker([&] {
    answer.store(10);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i * i);
    return objects.value<int>("answer").load() == 10;
  });
  CHECK(worker.wait() == 0);
  CHECK(answer.load() == 10);
  CHECK(std::accumulate(numbers.begin(), numbers.end(), 0) == 285);
  CHECK(reinterpret_cast<std::uintptr_t>(numbers.data()) % 128 == 0);
  CHECK(numbers.span().size() == 10);
}

TEST_CASE("a matrix whose mean a worker computes, by name") {
  constexpr std::size_t side = 1000;
  const auto name = unique_name("matrix");
  const auto objects = SharedObjects::create(name, {.bytes = 9'000'000});
  const auto matrix = objects.array<double>("matrix", side * side);
  CHECK(std::all_of(matrix.begin(), matrix.end(), [](double element) { return element == 0; }));
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<double>(i % side);
  Child worker([&] {
    const auto mine = SharedObjects::open(name);
    const auto elements = mine.array<double>("matrix", side * side);
    const double sum = std::accumulate(elements.begin(), elements.end(), 0.0);
    mine.value<double>("mean").store(sum / static_cast<double>(elements.size()));
    return true;
  });
  CHECK(worker.wait() == 0);
  CHECK(objects.value<double>("mean", -1).load() == 499.5);
  CHECK(objects.name() == name);
  CHECK(objects.descriptor() == -1);
}

TEST_CASE("each way of changing a value") {
  const auto objects = SharedObjects::create("");
  const auto small = objects.value<std::int16_t>("small", 7);
  CHECK(small.is_lock_free());
  CHECK(small.exchange(8) == 7);
  CHECK(small.fetch_add(-10) == 8);
  CHECK(small.fetch_sub(1) == -2);
  CHECK(small.load() == -3);
  CHECK(small.fetch_and(0xff) == -3);
  CHECK(small.fetch_or(0x100) == 0xfd);
  CHECK(small.fetch_xor(0x1ff) == 0x1fd);
  CHECK(small.update([](std::int16_t value) { return value * 3; }) == 6);
  std::int16_t expected = 5;
  CHECK_FALSE(small.compare_exchange(expected, 1));
  CHECK(expected == 6);
  CHECK(small.compare_exchange(expected, 1));
  CHECK(small.load() == 1);
  CHECK_THROWS_AS(small.update([](std::int16_t) -> std::int16_t { throw OutOfRange("no"); }), OutOfRange);
  CHECK(objects.value<std::uint64_t>("wide", ~std::uint64_t{0}).fetch_add(2) == ~std::uint64_t{0});
  CHECK(objects.value<std::uint64_t>("wide").load() == 1);

  const auto large = objects.value("large", Record::of(1));
  CHECK_FALSE(large.is_lock_free());
  CHECK(large.load().words[99] == 1);
  CHECK(large.exchange(Record::of(2)).words[0] == 1);
  Record was = Record::of(3);
  CHECK_FALSE(large.compare_exchange(was, Record::of(4)));
  CHECK(was.words[50] == 2);
  CHECK(large.compare_exchange(was, Record::of(4)));
  CHECK(large.update([](const Record& it) { return Record::of(it.words[0] + 1); }).words[7] == 5);
  CHECK_THROWS_AS(large.update([](const Record&) -> Record { throw OutOfRange("no"); }), OutOfRange);
  CHECK(message_of<SystemError>(
            [&] { large.update([&](const Record& it) { return large.exchange(it); }); }) != "");
  large.store(Record::of(6));
  CHECK(large.load().words[0] == 6);
}

TEST_CASE("nothing is lost of what four processes add, under the mutex, by update() and by fetch_add()") {
  constexpr int of_each = 10000;
  const auto objects = SharedObjects::create("");
  auto children = start(4, [&](int) {
    const auto mutex = objects.mutex("mutex");
    const auto guarded = objects.array<long>("guarded", 1);
    const auto updated = objects.value<long>("updated");
    const auto added = objects.value<int>("added");
    const auto large = objects.value<Record>("large");
    for (int i = 0; i < of_each; ++i) {
      {
        const std::lock_guard lock(mutex);
        ++guarded[0];
      }
      updated.update([](long value) { return value + 1; });
      added.fetch_add(1);
      if (i % 10 == 0) large.update([](const Record& it) { return Record::of(it.words[0] + 1); });
    }
    return true;
  });
  CHECK(all_well(children));
  CHECK(objects.array<long>("guarded", 1)[0] == 4 * of_each);
  CHECK(objects.value<long>("updated").load() == 4 * of_each);
  CHECK(objects.value<int>("added").load() == 4 * of_each);
  CHECK(objects.value<Record>("large").load().words[99] == 4 * of_each / 10);
}

TEST_CASE("threads use objects as processes do") {
  const auto objects = SharedObjects::create("");
  const auto mutex = objects.mutex("mutex");
  const auto count = objects.array<long>("count", 1);
  const auto large = objects.value("large", Record::of(0));
  const auto barrier = objects.barrier("barrier", 4);
  std::atomic<bool> whole{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 500; ++round) {
        barrier.arrive_and_wait();
        const std::lock_guard lock(mutex);
        ++count[0];
        if (i == 0) large.store(Record::of(static_cast<std::uint64_t>(round)));
        if (!large.load().whole()) whole = false;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(count[0] == 2000);
  CHECK(whole);
}

TEST_CASE("killed at any moment while writing a large value: the value is whole, and others write on") {
  std::mt19937 random(2);
  const auto objects = SharedObjects::create("");
  const auto large = objects.value("large", Record::of(0));
  for (int round = 0; round < 200; ++round) {
    Signal begun;
    Child writer([&]() -> bool {
      begun.give();
      for (std::uint64_t i = 0;; ++i) large.store(Record::of(i));
    });
    begun.await();
    for (int i = 0; i < 5; ++i) REQUIRE(large.load().whole());
    test::sleep_up_to(random, 300);
    writer.kill();
    REQUIRE(large.load().whole());
    large.store(Record::of(7));
    REQUIRE(large.load().words[99] == 7);
  }
}

TEST_CASE("readers of a large value that is written without rest never see half of one") {
  const auto objects = SharedObjects::create("");
  const auto large = objects.value("large", Record::of(0));
  const auto end = objects.event("end");
  auto writers = start(2, [&](int) {
    for (std::uint64_t i = 0; !end.is_set(); ++i) large.store(Record::of(i));
    return true;
  });
  bool whole = true;
  for (int i = 0; i < 20000; ++i) whole = whole && large.load().whole();
  end.set();
  CHECK(whole);
  CHECK(all_well(writers));
}

TEST_CASE("killed at any moment while making objects: what is there is whole, and others make theirs") {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const auto objects = SharedObjects::create("", {.bytes = 600'000});
    Signal begun;
    Child maker([&] {
      begun.give();
      for (int i = 0; i < 250; ++i) {
        objects.value("large" + std::to_string(i), Record::of(5));
        objects.mutex("mutex" + std::to_string(i));
      }
      return true;
    });
    begun.await();
    test::sleep_up_to(random, 1000);
    maker.kill();
    const auto before = objects.list();
    for (int i = 0; i < 250; ++i) {
      const auto value = objects.value("large" + std::to_string(i), Record::of(6)).load();
      REQUIRE(value.whole());
      REQUIRE(value.words[0] == (static_cast<std::size_t>(2 * i) < before.size() ? 5 : 6));
      const auto mutex = objects.mutex("mutex" + std::to_string(i));
      const std::lock_guard lock(mutex);
    }
    REQUIRE(objects.array<char>("last", 100)[99] == 0);
  }
}

TEST_CASE("an array where a dead maker left something is zeros") {
  const auto objects = SharedObjects::create("", {.bytes = 4096});
  const auto first = objects.array<unsigned char>("first", 128);
  std::memset(first.end(), 0xff, 1024);
  const auto second = objects.array<unsigned char>("second", 1000);
  CHECK(second.data() == first.end());
  CHECK(std::all_of(second.begin(), second.end(), [](unsigned char byte) { return byte == 0; }));
  CHECK_FALSE(objects.event("event").is_set());
}

TEST_CASE("of processes that ask at once, all get the same") {
  for (int round = 0; round < 30; ++round) {
    const auto name = unique_name("at-once");
    const auto gate = SharedObjects::create("");
    auto children = start(4, [&](int i) {
      gate.barrier("gate", 5).arrive_and_wait();
      const auto objects = SharedObjects::open_or_create(name);
      objects.value("count", 100).fetch_add(1);
      objects.value<int>("of " + std::to_string(i), i);
      gate.barrier("end", 5).arrive_and_wait();
      return objects.value<int>("count").load() == 104 && objects.list().size() == 5;
    });
    gate.barrier("gate", 5).arrive_and_wait();
    gate.barrier("end", 5).wait_for(20s);
    REQUIRE(all_well(children));
    CHECK_THROWS_AS(SharedObjects::open(name), SystemError);
  }
}

TEST_CASE("what has the name already, but is something else, is named") {
  const auto objects = SharedObjects::create("");
  objects.value<int>("x");
  const auto fault = [&](const auto& call) { return message_of<InvalidArgument>(call); };
  const auto says = [&](const std::string& message, const char* was, const char* asked) {
    return contains(message, was) && contains(message, asked) && contains(message, "\"x\"");
  };
  CHECK(says(fault([&] { objects.value<float>("x"); }), "a value of i32 (4 bytes)", "f32"));
  CHECK(says(fault([&] { objects.value<unsigned>("x"); }), "i32", "u32"));
  CHECK(says(fault([&] { objects.array<int>("x", 1); }), "a value", "an array of 1 i32"));
  CHECK(says(fault([&] { objects.mutex("x"); }), "a value", "a mutex"));
  CHECK(says(fault([&] { objects.event("x"); }), "a value", "an event"));
  CHECK(says(fault([&] { objects.barrier("x", 2); }), "a value", "a barrier of 2 parties"));
  CHECK(says(fault([&] { objects.barrier("x", 0); }), "of 0 parties", "1 to 65535"));
  objects.array<int>("array", 3);
  CHECK(contains(fault([&] { objects.array<int>("array", 4); }), "an array of 3"));
  objects.barrier("barrier", 1);
  CHECK(contains(fault([&] { objects.barrier("barrier", 2); }), "a barrier of 1 party"));
  CHECK(fault([&] { objects.array<int>("none", 0); }) != "");
  CHECK(fault([&] { objects.barrier("none", 0); }) != "");
  CHECK(fault([&] { objects.barrier("many", 65536); }) != "");
  for (const auto& name : {std::string(), std::string(64, 'n'), std::string("a\0b", 3)})
    CHECK(fault([&] { objects.event(name); }) != "");
  objects.event(std::string(63, 'n'));
  objects.value<long>("long");
  CHECK(objects.value<long long>("long").load() == 0);  // numbers go by what they are, not by their names
}

TEST_CASE("what has no room is refused with numbers, and leaves all as it was") {
  const auto objects = SharedObjects::create("", {.bytes = 4096});
  const auto left = objects.bytes_left();
  CHECK(left >= 4096);
  objects.array<char>("all but one line", left - 128);
  CHECK(objects.bytes_left() == 128);
  const auto fault = message_of<OutOfMemory>([&] { objects.array<double>("big", 17); });
  CHECK(contains(fault, "needs 256 bytes; 128 are left"));
  CHECK_THROWS_AS(objects.array<double>("huge", ~std::size_t{0} / 4), OutOfMemory);
  objects.array<double>("fits", 16)[15] = 1;
  CHECK(objects.bytes_left() == 0);
  CHECK_THROWS_AS(objects.event("none"), OutOfMemory);
  CHECK_THROWS_AS(SharedObjects::create("", {.bytes = 0}), InvalidArgument);
  CHECK_THROWS_AS(SharedObjects::create("", {.bytes = ~std::uint64_t{0}}), InvalidArgument);
  const auto many = SharedObjects::create("");
  for (int i = 0; i < 512; ++i) many.event(std::to_string(i));
  CHECK(contains(message_of<OutOfMemory>([&] { many.event("512"); }), "512 objects"));
}

TEST_CASE("a list says what there is; objects outlive the handle that they came from") {
  auto objects = std::make_unique<SharedObjects>(SharedObjects::create(""));
  const auto value = objects->value("value", 2.5F);
  objects->array<std::uint8_t>("bytes", 200);
  objects->barrier("barrier", 3);
  const auto list = objects->list();
  REQUIRE(list.size() == 3);
  CHECK(list[0].name == "value");
  CHECK(list[0].kind == SharedObjectKind::value);
  CHECK(list[0].type == "f32");
  CHECK(to_string(list[1].kind) == "array");
  CHECK(list[1].count == 200);
  CHECK(list[1].element_bytes == 1);
  CHECK(list[1].bytes == 256);
  CHECK(list[2].count == 3);
  objects.reset();
  CHECK(value.load() == 2.5F);
}

TEST_CASE("segments of objects: kept or not, removed, and none of another kind") {
  const auto name = unique_name("segment");
  {
    const auto kept = SharedObjects::create(name, {.keep = true});
    kept.value("stays", 3);
    CHECK_THROWS_AS(SharedObjects::create(name), SystemError);
  }
  const auto again = SharedObjects::open(name);
  CHECK(again.value<int>("stays").load() == 3);
  again.remove();
  CHECK_THROWS_AS(SharedObjects::open(name), SystemError);
  CHECK(Segment::open_descriptor(SharedObjects::create("").descriptor()).kind() == SegmentKind::objects);
}

TEST_CASE("from another pid namespace nobody gets in, as the owners of mutexes have other numbers there") {
  const auto objects = SharedObjects::create("");
  Child leaves([&] {
    if (::unshare(CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
      return true;  // not allowed
    Child other([&] {
      try {
        SharedObjects::open_descriptor(objects.descriptor());
      } catch (const SystemError& error) {
        return error.code() == ENOTSUP;
      }
      return false;
    });
    return other.wait() == 0;
  });
  CHECK(leaves.wait() == 0);
}

TEST_CASE("damaged words lead nobody outside the segment") {
  const auto damage = [](const std::function<void(objects::Directory&)>& change) {
    const auto made = SharedObjects::create("");
    made.array<int>("array", 4);
    const Segment segment = Segment::open_descriptor(made.descriptor(), Access::read_write);
    Pages pages = segment.pages();
    change(*reinterpret_cast<objects::Directory*>(pages.data()));
    CHECK_THROWS_AS(made.array<int>("array", 4), FormatError);
    CHECK_THROWS_AS(made.event("new"), FormatError);
    CHECK_THROWS_AS(made.list(), FormatError);
    CHECK_THROWS_AS(made.bytes_left(), FormatError);
  };
  damage([](auto& directory) { directory.control.published = 513; });
  damage([](auto& directory) { directory.entries[0].offset = 0; });
  damage([](auto& directory) { directory.entries[0].offset += 8; });
  damage([](auto& directory) { directory.entries[0].offset = std::uint64_t{1} << 40; });
  damage([](auto& directory) { directory.entries[0].offset = ~std::uint64_t{127}; });
  damage([](auto& directory) { directory.entries[0].bytes = ~std::uint64_t{127}; });
  damage([](auto& directory) { directory.entries[0].bytes = 0; });
  damage([](auto& directory) {  // of an element more than there is behind it
    directory.entries[0].offset += SharedObjectsOptions{}.bytes;
  });
  const auto unterminated = SharedObjects::create("");
  unterminated.event("event");
  const Segment segment = Segment::open_descriptor(unterminated.descriptor(), Access::read_write);
  Pages pages = segment.pages();
  auto& entry = reinterpret_cast<objects::Directory*>(pages.data())->entries[0];
  std::memset(entry.name, 'n', sizeof entry.name);
  std::memset(entry.type, 't', sizeof entry.type);
  entry.kind = 9;
  CHECK_THROWS_AS(unterminated.list(), FormatError);
}
