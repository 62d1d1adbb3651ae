// Goal: lists and dictionaries hold what was put into them; several changes are made all or none; a look is
// of one moment; what cannot be is refused, and leaves everything as it was. Method: standard containers
// beside them through operations drawn at random, threads, and directories that are too small.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <limits>
#include <map>
#include <random>
#include <stdexcept>
#include <thread>

#include "manager/manager.hpp"
#include "support/files.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::as_number;
using test::code_of;
using test::contains;
using test::Folder;
using test::message_of;
using test::MiB;
using test::number;
using test::numbers;

namespace {

ManagedValue block(char letter, std::size_t bytes = 10'000) {
  return std::string(bytes, letter);
}

// Values of many lengths, so that they lie in pages and beside them.
ManagedValue drawn(std::mt19937& random) {
  switch (random() % 4) {
    case 0:
      return number(static_cast<std::int64_t>(random()));
    case 1:
      return static_cast<double>(random()) / 7;
    case 2:
      return std::string(random() % 6000, static_cast<char>('a' + random() % 26));
    default:
      return {};
  }
}

}  // namespace

TEST_CASE("every kind of value comes back as it was put") {
  // Goal: nothing is lost on the way, down to the bits. Method: the extremes of each kind, by list and
  // dictionary.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  const std::vector<double> doubles = {1, -0.0, 1e300};
  const std::vector<ManagedValue> values = {
      {},
      true,
      false,
      std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::int64_t>::max(),
      -0.0,
      std::numeric_limits<double>::denorm_min(),
      "",
      std::string("a\0b", 3),
      block('x', 100'000),
      ManagedArray::of(std::span(doubles)),
      ManagedArray::of(std::span(doubles), {3, 1}),
      ManagedArray{.dtype = DType::bf16, .shape = {0, 7}, .bytes = {}},
      ManagedArray{.dtype = DType::u8, .shape = {}, .bytes = {std::byte{9}}}};
  const auto list = manager.list("values");
  const auto dictionary = manager.dictionary("by number");
  for (const auto& value : values) {
    const auto i = list.append(value);
    CHECK(list.get(i) == value);
    dictionary.set(std::to_string(i), value);
    CHECK(dictionary.get(std::to_string(i)) == value);
  }
  CHECK(list.values() == values);
  CHECK(std::signbit(std::get<double>(list.get(5))));
  const auto array = std::get<ManagedArray>(list.get(10));
  CHECK(array.elements<double>()[2] == 1e300);
  CHECK(array.shape == std::vector<std::uint64_t>{3});
  CHECK(contains(message_of<InvalidArgument>([&] { array.elements<float>(); }), "f64, not f32"));
}

TEST_CASE("a list is what a deque is") {
  // Method: the same operations, drawn at random, on both; the list opened anew now and then.
  const Folder folder;
  auto manager = std::make_unique<Manager>(Manager::create(folder.path()));
  std::deque<ManagedValue> model;
  std::mt19937 random(1);
  for (int step = 0; step < 3000; ++step) {
    const auto list = manager->list("list");
    const auto value = drawn(random);
    const std::size_t i = model.empty() ? 0 : random() % model.size();
    const auto choice = random() % 100;
    if (choice < 40) {
      CHECK(list.append(value) == model.size());
      model.push_back(value);
    } else if (choice < 45) {
      CHECK(list.extend(numbers(step, 5)) == model.size());
      for (const auto& more : numbers(step, 5)) model.push_back(more);
    } else if (choice < 70 && !model.empty()) {
      list.set(i, value);
      model[i] = value;
    } else if (choice < 78) {
      const auto taken = list.pop_back();
      REQUIRE(taken.has_value() == !model.empty());
      if (taken) CHECK(*taken == model.back());
      if (taken) model.pop_back();
    } else if (choice < 86) {
      const auto taken = list.pop_front();
      REQUIRE(taken.has_value() == !model.empty());
      if (taken) CHECK(*taken == model.front());
      if (taken) model.pop_front();
    } else if (choice < 94 && !model.empty()) {
      list.erase(i);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(i));
    } else if (choice == 99) {
      list.clear();
      model.clear();
    } else if (choice == 98) {
      manager.reset();
      manager = std::make_unique<Manager>(Manager::open(folder.path()));
    }
    REQUIRE(manager->list("list").size() == model.size());
  }
  CHECK(manager->list("list").values() == std::vector<ManagedValue>(model.begin(), model.end()));
}

TEST_CASE("a dictionary is what a map is") {
  // Method: the same operations, drawn at random, on both; two dictionaries side by side must not mix.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  const auto dictionary = manager.dictionary("one");
  const auto other = manager.dictionary("other");
  other.set("key 1", "mine");
  std::map<std::string, ManagedValue> model;
  std::mt19937 random(2);
  for (int step = 0; step < 3000; ++step) {
    const std::string key = "key " + std::string(random() % 3, '\xff') + std::to_string(random() % 60);
    const auto choice = random() % 100;
    if (choice < 55) {
      model[key] = drawn(random);
      dictionary.set(key, model[key]);
    } else if (choice < 80) {
      CHECK(dictionary.erase(key) == (model.erase(key) == 1));
    } else if (choice == 99) {
      dictionary.clear();
      model.clear();
    } else {
      const auto found = model.find(key);
      CHECK(dictionary.contains(key) == (found != model.end()));
      CHECK(dictionary.get(key) == (found == model.end() ? std::nullopt : std::optional(found->second)));
    }
    REQUIRE(dictionary.size() == model.size());
  }
  const auto items = dictionary.items();
  CHECK(std::map(items.begin(), items.end()) == model);
  CHECK(std::is_sorted(items.begin(), items.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; }));
  CHECK(dictionary.keys().size() == model.size());
  CHECK(other.items().size() == 1);
}

TEST_CASE("names") {
  // Goal: a name is a list or a dictionary or neither, and all of them are listed. Method: one of each.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  CHECK(manager.list("nobody wrote").values().empty());
  CHECK_FALSE(manager.list("nobody wrote").pop_back());
  manager.list("nobody wrote").clear();
  CHECK(manager.names().empty());
  manager.list("b").append(1);
  manager.dictionary("a").set("", 1);
  CHECK(manager.names() == std::vector<std::string>{"a", "b"});
  CHECK(contains(message_of<InvalidArgument>([&] { manager.dictionary("b").size(); }),
                 "\"b\" is a list, no dictionary"));
  CHECK(contains(message_of<InvalidArgument>([&] { manager.list("a").append(1); }),
                 "\"a\" is a dictionary, no list"));
  CHECK(manager.remove("b"));
  CHECK_FALSE(manager.remove("b"));
  manager.dictionary("b").set("now", "a dictionary");
  CHECK(manager.dictionary("b").size() == 1);
  CHECK(manager.dictionary("a").get("") == number(1));

  CHECK_THROWS_AS(manager.list(""), InvalidArgument);
  CHECK(contains(message_of<InvalidArgument>([&] { manager.list(std::string(256, 'x')); }), "256 bytes"));
  manager.list(std::string(255, 'x')).append(1);
  const auto dictionary = manager.dictionary("a");
  dictionary.set(std::string(500, 'k'), 5);
  CHECK(dictionary.get(std::string(500, 'k')) == number(5));
  CHECK(
      contains(message_of<InvalidArgument>([&] { dictionary.set(std::string(501, 'k'), 5); }), "501 bytes"));
  CHECK_THROWS_AS(dictionary.contains(std::string(501, 'k')), InvalidArgument);
  CHECK(contains(message_of<OutOfRange>([&] { manager.list("c").get(0); }), "has 0 elements, there is no 0"));
  CHECK_THROWS_AS(manager.list("c").set(0, 1), OutOfRange);
  CHECK_THROWS_AS(manager.list("c").erase(0), OutOfRange);
  const ManagedArray wrong{.dtype = DType::f64, .shape = {3}, .bytes = {std::byte{1}}};
  CHECK_THROWS_AS(manager.list("c").append(wrong), InvalidArgument);
  CHECK_THROWS_AS(manager.list("c").extend(std::vector<ManagedValue>{1, wrong}), InvalidArgument);
  CHECK(manager.list("c").size() == 0);
}

TEST_CASE("several changes are made all at once, or none of them") {
  // Method: a change that is complete, one that throws, one whose parts are read back inside it.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  manager.change([&](ManagerChange& change) {
    const auto list = change.list("jobs");
    list.append("first");
    CHECK(change.dictionary("state").update("count", [](auto) { return number(1); }) == number(1));
    CHECK(list.size() == 1);
    CHECK(change.names() == std::vector<std::string>{"jobs", "state"});
    CHECK(manager.list("jobs").size() == 0);  // the state before
  });
  CHECK(manager.list("jobs").get(0) == ManagedValue("first"));
  CHECK_THROWS_AS(manager.change([](ManagerChange& change) {
    change.list("jobs").append("second");
    change.remove("state");
    throw std::domain_error("enough");
  }),
                  std::domain_error);
  CHECK(manager.list("jobs").size() == 1);
  CHECK(manager.dictionary("state").get("count") == number(1));

  const auto state = manager.dictionary("state");
  CHECK_THROWS_AS(state.update("count", [](auto) -> ManagedValue { throw std::domain_error("no"); }),
                  std::domain_error);
  CHECK(state.update("count", [](auto value) { return as_number(*value) + 1; }) == number(2));

  std::optional<ManagedList> kept;
  manager.change([&](ManagerChange& change) { kept = change.list("jobs"); });
  CHECK(contains(message_of<InvalidArgument>([&] { kept->append(1); }), "is over"));
}

TEST_CASE("a change inside a change would wait for itself") {
  // Goal: an error, and everything goes on. Method: each way of writing by the Manager within its own change.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  manager.change([&](ManagerChange& change) {
    change.list("list").append(1);
    CHECK(code_of([&] { manager.list("list").append(2); }) == EDEADLK);
    CHECK(code_of([&] { Manager(manager).change([](ManagerChange&) {}); }) == EDEADLK);
    CHECK(code_of([&] { Manager::open(folder.path()).remove("list"); }) == EDEADLK);
    manager.look([](const ManagerLook& look) { CHECK(look.list("list").size() == 0); });
  });
  CHECK(manager.list("list").size() == 1);
  manager.look([&](const ManagerLook& look) {
    manager.list("list").append(2);
    CHECK(look.list("list").size() == 1);
  });
  CHECK(manager.list("list").size() == 2);
}

TEST_CASE("one opening for each directory and process") {
  // Goal: a second Manager shares the first one's opening, and neither's end ends the other. Method: the same
  // directory by another path and a link; what each writes the others read, in any order of ending.
  const Folder folder;
  auto first = std::make_unique<Manager>(Manager::create(folder.path()));
  const std::string link = folder.path() + ".link";
  std::filesystem::create_directory_symlink(folder.path(), link);
  auto second = std::make_unique<Manager>(Manager::open(link));
  std::filesystem::remove(link);
  auto third = std::make_unique<Manager>(Manager::open_or_create(folder.path() + "/./"));
  CHECK(second->directory() == folder.path());
  CHECK(code_of([&] { Manager::create(folder.path()); }) == EEXIST);
  const auto list = third->list("list");
  first->list("list").append(1);
  first.reset();
  second->list("list").append(2);
  second.reset();
  third.reset();
  CHECK(list.append(3) == 2);  // a handle is enough
  CHECK(Manager::open(folder.path()).list("list").values() == numbers(1, 3));
}

TEST_CASE("a full directory") {
  // Goal: an error that says so; what was there stays, can be read, removed and written again; more room can
  // be had. Method: fill one of the least size, by single writes and within a change.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
  CHECK(manager.max_bytes() == MiB);
  const auto list = manager.list("list");
  const auto fill = [&] {
    while (true) list.append(block('x'));
  };
  CHECK(contains(message_of<OutOfMemory>(fill), "its max_bytes is 1048576; remove something"));
  auto held = list.size();
  CHECK(held > 10);
  CHECK(list.get(held - 1) == block('x'));
  const auto insist = [&] {
    manager.change([&](ManagerChange& change) {
      change.dictionary("state").set("key", 1);
      try {
        change.list("list").extend(std::vector<ManagedValue>(200, block('y')));
      } catch (const OutOfMemory&) {  // and goes on, as if part of a change would do
      }
    });
  };
  CHECK_THROWS_AS(insist(), OutOfMemory);
  list.pop_back();
  list.pop_back();
  held -= 2;
  CHECK(code_of(insist) == ECANCELED);
  CHECK(list.size() == held);
  CHECK(manager.dictionary("state").size() == 0);
  list.clear();
  for (int i = 0; i < 10; ++i) list.append(block('z'));
  CHECK(list.values() == std::vector<ManagedValue>(10, block('z')));

  const auto larger = Manager::open(folder.path(), {.max_bytes = 2 * MiB});
  CHECK(manager.max_bytes() == 2 * MiB);
  for (int i = 0; i < 110; ++i) list.append(block('z'));
  CHECK(larger.list("list").size() == 120);
  CHECK_THROWS_AS(Manager::open(folder.path(), {.max_bytes = MiB - 1}), InvalidArgument);
  CHECK(Manager::open(folder.path(), {.max_bytes = MiB}).max_bytes() == 2 * MiB);
}

TEST_CASE("what is replaced makes room for what replaces it") {
  // Goal: writing without end in little room. Method: many times the directory's size, over the same keys;
  // also a list that is made and taken away within one change, whose pages nobody ever writes.
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = 2 * MiB});
  const auto dictionary = manager.dictionary("dictionary");
  for (int i = 0; i < 600; ++i) dictionary.set(std::to_string(i % 10), block('v'));
  CHECK(dictionary.size() == 10);
  manager.change([](ManagerChange& change) {
    change.list("gone").extend(numbers(0, 5000));
    for (int i = 0; i < 5000; ++i) change.list("gone").pop_back();
    change.remove("gone");
  });
  CHECK(Manager::open(folder.path()).names().size() == 1);
}

TEST_CASE("threads") {
  // Goal: any thread, at any time. Method: some that write, some that look and some that read, while others
  // open more of it and let it grow. Each look sees two sums that are always changed together.
  // There is room for all that is ever written: a thread may sleep inside its look, and pin that.
  constexpr int writers = 3;
  constexpr int changes = 60;
  constexpr std::uint64_t bytes = 32 * MiB;
  const Folder folder;
  const auto manager = Manager::create(folder.path(), {.max_bytes = bytes});
  std::atomic<int> running = writers;
  std::atomic<int> torn = 0;
  std::vector<std::thread> threads;
  threads.reserve(writers + 2);
  for (int writer = 0; writer < writers; ++writer)
    threads.emplace_back([&] {
      for (int i = 0; i < changes; ++i) {
        manager.change([](ManagerChange& change) {
          const auto length = change.list("list").append(1) + 1;
          change.dictionary("sums").set("length", static_cast<std::int64_t>(length));
        });
        manager.list("other").append(2);
      }
      --running;
    });
  threads.emplace_back([&] {
    while (running > 0)
      manager.look([&](const ManagerLook& look) {
        const auto length = look.dictionary("sums").get("length");
        if (length && as_number(*length) != static_cast<std::int64_t>(look.list("list").size())) ++torn;
      });
  });
  threads.emplace_back([&] {
    for (std::uint64_t more = 1; more <= 20; ++more)
      static_cast<void>(
          Manager::open(folder.path(), {.max_bytes = bytes + more * 65536}).list("list").values());
  });
  for (auto& thread : threads) thread.join();
  CHECK(torn == 0);
  CHECK(manager.list("list").size() == writers * changes);
  CHECK(manager.list("other").size() == writers * changes);
  CHECK(manager.max_bytes() == bytes + 20 * 65536);
}
