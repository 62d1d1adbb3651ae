// Goal: any number of processes use a Manager together; who is killed, at whatever moment, leaves the old
// state or the new one and holds up nobody; a forked child has one of its own. Method: forked processes, some
// killed after delays drawn at random, which leave what must fit together.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "manager/manager.hpp"
#include "support/files.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::all_well;
using test::as_number;
using test::Child;
using test::code_of;
using test::Folder;
using test::MiB;
using test::number;
using test::Signal;
using test::start;

namespace {

// Three places that one change keeps equal.
void add_one(const Manager& manager) {
  manager.change([](ManagerChange& change) {
    const auto length = static_cast<std::int64_t>(change.list("list").append(std::string(300, 'x'))) + 1;
    change.dictionary("sums").set("length", length);
    change.list("lengths").append(length);
  });
}

bool is_whole(const Manager& manager) {
  bool whole = false;
  manager.look([&](const ManagerLook& look) {
    const auto length = static_cast<std::int64_t>(look.list("list").size());
    const auto sum = look.dictionary("sums").get("length");
    whole =
        (sum ? as_number(*sum) : 0) == length &&
        look.list("list").values().size() == look.list("list").size() &&
        look.list("lengths").size() == look.list("list").size() &&
        (length == 0 || look.list("lengths").get(static_cast<std::uint64_t>(length) - 1) == number(length));
  });
  return whole;
}

void nap(unsigned long microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

}  // namespace

TEST_CASE("several processes append to one list") {
  // Goal: nothing is lost, and each one's own order stays. Method: each writes its number and a count.
  constexpr int writers = 4;
  constexpr int appends = 200;
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  auto children = start(writers, [&](int child) {
    const auto list = Manager::open(folder.path()).list("list");
    for (int i = 0; i < appends; ++i) list.append(child * appends + i);
    return true;
  });
  CHECK(all_well(children));
  const auto values = manager.list("list").values();
  REQUIRE(values.size() == writers * appends);
  std::vector<std::int64_t> next(writers, 0);
  for (const auto& value : values) {
    const auto writer = static_cast<std::size_t>(as_number(value) / appends);
    CHECK(as_number(value) % appends == next.at(writer)++);
  }
}

TEST_CASE("a count that all processes change") {
  // Method: read-modify-write by update(), and a look by others meanwhile, which always sees whole changes.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  auto children = start(4, [&](int child) {
    for (int i = 0; i < 100; ++i) {
      manager.dictionary("counts").update("all", [](auto old) { return old ? as_number(*old) + 1 : 1; });
      if (child == 0) add_one(manager);
      if (child != 0 && !is_whole(manager)) return false;
    }
    return true;
  });
  CHECK(all_well(children));
  CHECK(manager.dictionary("counts").get("all") == number(400));
}

TEST_CASE("a writer killed at any moment") {
  // Goal: the others see the state before or after, and go on. Method: children that do nothing but change,
  // two at a time, and one of them killed after a delay drawn at random.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = 64 * MiB});
  std::mt19937 random(3);
  std::uint64_t before = 0;
  for (int round = 0; round < 150; ++round) {
    const auto work = [&] {
      while (true) add_one(manager);
      return true;
    };
    Child first(work);
    Child second(work);
    nap(random() % 3000);
    first.kill();
    add_one(manager);
    CHECK(is_whole(manager));
    const auto length = manager.list("list").size();
    CHECK(length > before);
    before = length;
    second.kill();
    if (length > 3000)
      manager.change([](ManagerChange& change) {
        for (const auto& name : change.names()) change.remove(name);
      });
    if (length > 3000) before = 0;
  }
  CHECK(is_whole(manager));
}

TEST_CASE("a reader killed inside a look") {
  // Goal: what it pinned can be had again. Method: a child that looks and sleeps while many times the room
  // there is is written: full as long as it lives; not, once it is dead.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
  const auto write_much = [&] {
    for (int i = 0; i < 1000; ++i)
      manager.dictionary("d").set(std::to_string(i % 5), std::string(20'000, 'x'));
  };
  write_much();
  const Signal looking;
  Child child([&] {
    manager.look([&](const ManagerLook& look) {
      static_cast<void>(look.names());
      looking.give();
      while (true) nap(1'000'000);
    });
    return true;
  });
  looking.await();
  CHECK_THROWS_AS(write_much(), OutOfMemory);
  CHECK(manager.dictionary("d").size() == 5);
  child.kill();
  CHECK_NOTHROW(write_much());
}

TEST_CASE("a forked child") {
  // Goal: parent and child each use the same Manager, by what the child inherited, and end it. Method: a
  // child that reads, writes and ends all of it, its own child too; the parent goes on.
  const Folder folder;
  auto manager = std::make_unique<Manager>(Manager::create(folder.path()));
  const auto list = manager->list("list");
  list.append(0);
  Child child([&] {
    list.append(1);
    const Manager another = Manager::open(folder.path());
    Child grandchild([&] {
      another.list("list").append(2);
      return list.size() == 3;
    });
    if (grandchild.wait() != 0) return false;
    manager.reset();
    return another.list("list").values() == test::numbers(0, 3);
  });
  CHECK(child.wait() == 0);
  Child idle([&] {
    manager.reset();  // never used there
    return Manager::open(folder.path()).list("list").size() == 3;
  });
  CHECK(idle.wait() == 0);
  CHECK(list.append(3) == 3);
  const auto second = Manager::open(folder.path());
  manager.reset();
  CHECK(second.list("list").values() == test::numbers(0, 4));
  Child late([&] { return second.list("list").append(4) == 4; });
  CHECK(late.wait() == 0);
}

TEST_CASE("a child forked inside a change or a look") {
  // Goal: it cannot go on with its parent's, whose change is made once and whose look goes on. Method:
  // children that try, then begin their own.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
  std::unique_ptr<Child> child;
  manager.change([&](ManagerChange& change) {
    change.list("list").append(1);
    child = std::make_unique<Child>([&] {
      const bool denied = code_of([&] { change.list("list").append(2); }) == EPERM &&
                          code_of([&] { change.list("list").size(); }) == EPERM;
      return denied && manager.list("list").append(3) == 1;  // waits for the parent's change
    });
  });
  CHECK(child->wait() == 0);
  CHECK(manager.list("list").values() == std::vector<ManagedValue>{1, 3});

  manager.look([&](const ManagerLook& look) {
    Child looker([&] {
      return code_of([&] { look.list("list").size(); }) == EPERM && manager.list("list").append(4) == 2;
    });
    CHECK(looker.wait() == 0);
    CHECK(look.list("list").size() == 2);
  });
  CHECK(manager.list("list").size() == 3);
}

TEST_CASE("a child that leaves its parent's change") {
  // Goal: leaving it, by returning or by an exception, changes nothing and says so. Method: fork() inside,
  // without what ends a child early.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  for (const bool throws : {false, true}) {
    pid_t child = -1;
    const auto change = [&] {
      manager.change([&](ManagerChange& inside) {
        inside.list("list").append(1);
        child = ::fork();
        if (child == 0 && throws) throw std::domain_error("leaving");
      });
    };
    int outcome = 0;
    try {
      change();
    } catch (const SystemError& error) {
      outcome = error.code() == EPERM && !throws ? 0 : 1;
    } catch (const std::domain_error&) {
      outcome = throws ? 0 : 1;
    }
    if (child == 0) ::_exit(outcome == 0 && manager.list("list").append(2) > 0 ? 0 : 1);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(outcome == 0);
  }
  CHECK(manager.list("list").values() == std::vector<ManagedValue>{1, 2, 1, 2});
}

TEST_CASE("a child that leaves its parent's look") {
  // Goal: the parent's look stays what it was. Method: fork() inside, without what ends a child early; then
  // all is replaced as often as there is room, which is not for long, as the look still has the old.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
  const auto list = manager.list("list");
  for (int i = 0; i < 10; ++i) list.append(std::string(20'000, 'a'));
  const auto before = list.values();
  const pid_t parent = ::getpid();
  manager.look([&](const ManagerLook& look) {
    const pid_t child = ::fork();
    if (child == 0) return;
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK_THROWS_AS(
        [&] {
          for (std::uint64_t i = 0; i < 500; ++i) list.set(i % 10, std::string(20'000, 'b'));
        }(),
        OutOfMemory);
    CHECK(look.list("list").values() == before);
  });
  if (::getpid() != parent) ::_exit(0);
  CHECK_NOTHROW(list.clear());
}

TEST_CASE("forks while other threads are in transactions") {
  // Goal: whatever they hold, the child goes on. Method: threads that change, look and open all the time.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      while (!stop) {
        manager.dictionary("d").update("count", [](auto old) { return old ? as_number(*old) + 1 : 1; });
        static_cast<void>(Manager::open(folder.path()).names());
      }
    });
  for (int i = 0; i < 40; ++i) {
    Child child([&] {
      manager.list("list").append(i);
      return Manager::open(folder.path()).list("list").size() == static_cast<std::uint64_t>(i) + 1;
    });
    CHECK(child.wait() == 0);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(manager.list("list").values() == test::numbers(0, 40));
}

TEST_CASE("processes that make one together, and die over it") {
  // Goal: exactly one makes it, and whoever dies over that is no hindrance. Method: rounds of processes that
  // begin at once, one of them killed after a delay drawn at random.
  std::mt19937 random(4);
  for (int round = 0; round < 60; ++round) {
    const Folder folder;
    const auto append = [&](int child) {
      Manager::open_or_create(folder.path(), {.max_bytes = MiB}).list("list").append(child);
      return true;
    };
    Child victim([&] { return append(9); });
    auto children = start(3, append);
    nap(random() % 1500);
    victim.kill();
    CHECK(all_well(children));
    const auto size = Manager::open(folder.path()).list("list").size();
    CHECK((size == 3 || size == 4));
  }
}

TEST_CASE("another process lets it grow") {
  // Goal: who has it open goes on with the larger one, reading and writing. Method: a child that writes more
  // than there was room for.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
  const auto write = [&](int count) {
    for (int i = 0; i < count; ++i) manager.list("list").append(std::string(20'000, 'x'));
  };
  Child child([&] {
    static_cast<void>(Manager::open(folder.path(), {.max_bytes = 4 * MiB}));
    write(100);
    return true;
  });
  CHECK(child.wait() == 0);
  CHECK(manager.list("list").size() == 100);
  CHECK(manager.list("list").get(99) == ManagedValue(std::string(20'000, 'x')));
  Child second([&] {
    static_cast<void>(Manager::open(folder.path(), {.max_bytes = 8 * MiB}));
    return true;
  });
  CHECK(second.wait() == 0);
  write(150);
  CHECK(manager.list("list").size() == 250);
  CHECK(manager.max_bytes() == 8 * MiB);
}
