// Goal: a file is loaded once for all processes of a machine, whoever of them dies, and is never an older
// state of the file or another file. Method: real processes, forked, that start together or are killed.
#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>

#include "support/process.hpp"

using namespace nodewise;
using test::Child;
using test::Signal;
using test::unique_name;

TEST_CASE("open_or_create: of processes that start together one loads, all see the same") {
  const auto name = unique_name("together");
  const std::string path = NODEWISE_TEST_DATA "/digits.npy";
  const auto expected = load_npy(path, 100).means();
  Signal go;
  const test::SharedCount makers;
  std::vector<std::unique_ptr<Child>> children;
  constexpr int count = 6;
  for (int i = 0; i < count; ++i)
    children.push_back(std::make_unique<Child>([&] {
      go.await();
      SharedLoadOptions options;
      options.keep = true;
      const auto loader = open_or_create(open_source(path), name, 100, options);
      if (loader.segment()->owner().pid == static_cast<std::uint32_t>(::getpid())) ++*makers;
      return loader.means() == expected;
    }));
  for (int i = 0; i < count; ++i) go.give();
  for (auto& child : children) CHECK(child->wait() == 0);
  CHECK(*makers == 1);
  const Segment segment = Segment::open(name);
  CHECK(segment.origin().name == std::filesystem::canonical(path));
  segment.remove();
}

TEST_CASE("what was loaded into a segment says from which file, and open_or_create knows it again") {
  const auto name = unique_name("loaded");
  const auto path = std::filesystem::canonical(NODEWISE_TEST_DATA "/digits.npy");
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name};
  const auto loaded = load_npy(std::filesystem::relative(path), 100, options);
  CHECK(loaded.segment()->origin().name == path);
  CHECK(loaded.segment()->origin() == npy_source(path).identity());
  CHECK(open_or_create(open_source(path), name, 100).segment()->created() == loaded.segment()->created());
  options.segment =
      SegmentOptions{.name = name + ".of", .origin = {.name = "elsewhere", .state = {}, .content = {}}};
  CHECK(load_npy(path, 100, options).segment()->origin().name == "elsewhere");
}

TEST_CASE("open_or_create maps what was kept, replaces what the file has outgrown, refuses another file") {
  const auto name = unique_name("again");
  const auto copy = std::filesystem::temp_directory_path() / (name + ".npy");
  std::filesystem::copy_file(NODEWISE_TEST_DATA "/digits.npy", copy);
  SharedLoadOptions options;
  options.keep = true;
  const auto first = open_or_create(open_source(copy), name, 100, options).segment()->created();
  CHECK(open_or_create(open_source(copy), name, 100, options).segment()->created() == first);
  CHECK_THROWS_AS(open_or_create(open_source(copy), name, 50, options), InvalidArgument);
  CHECK_THROWS_AS(open_or_create(open_source(NODEWISE_TEST_DATA "/digits.npy"), name, 100, options),
                  InvalidArgument);
  const auto memory = memory_source(&name, {1, 1}, DType::u8, {.key = "other"});
  CHECK_THROWS_AS(open_or_create(memory, name, 100, options), InvalidArgument);
  SharedLoadOptions other = options;
  other.loader.layout = Layout::columns;
  CHECK_THROWS_AS(open_or_create(open_source(copy), name, 100, other), InvalidArgument);
  const auto old = open_or_create(open_source(copy), name, 100, options);
  std::filesystem::last_write_time(copy, std::filesystem::last_write_time(copy) - std::chrono::hours(1));
  const auto renewed = open_or_create(open_source(copy), name, 100, options);
  CHECK(renewed.segment()->created() != first);
  CHECK(old.means() == renewed.means());  // who had it keeps it
  std::filesystem::remove(copy);
  try {
    open_or_create(open_source(copy), name, 100, options);
    FAIL("there is no file");
  } catch (const SystemError& error) {
    CHECK(error.code() == ENOENT);
    CHECK(std::string(error.what()).find(copy) != std::string::npos);
  }
  renewed.segment()->remove();
}

TEST_CASE("open_or_create: when the loader dies, another one takes over") {
  const auto name = unique_name("takeover");
  Signal placed;
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name, .publish = false};
  Child loader([&] {
    const BatchLoader dying({{1000, 16}, DType::f32, 64}, options);
    return placed.give_and_stay();
  });
  placed.await();
  Signal started;
  Child waiter([&] {
    started.give();
    const auto mine = open_or_create(open_source(NODEWISE_TEST_DATA "/digits.npy"), name, 100);
    return mine.segment()->owner().pid == static_cast<std::uint32_t>(::getpid());
  });
  started.await();
  ::usleep(20000);
  loader.kill();
  CHECK(waiter.wait() == 0);
}

TEST_CASE("the wait for a maker that does not finish ends by patience or by a stop token") {
  const auto name = unique_name("unfinished");
  const Dataset dataset({10, 2}, DType::f32, 5);
  LoaderOptions making;
  making.segment = SegmentOptions{.name = name, .origin = {.name = "key", .state = {{1, 1}}, .content = {}}};
  making.segment->publish = false;
  BatchLoader maker(dataset, making);
  LoaderOptions waiting;
  waiting.patience = std::chrono::milliseconds(30);
  const auto timed_out = [](auto call) {
    try {
      call();
    } catch (const SystemError& error) {
      return error.code() == ETIMEDOUT;
    }
    return false;
  };
  CHECK(timed_out([&] { BatchLoader::open(name, Access::read_only, waiting); }));
  const Source source = open_source(NODEWISE_TEST_DATA "/digits.npy");
  SharedLoadOptions shared;
  shared.loader = waiting;
  CHECK(timed_out([&] { open_or_create(source, name, 100, shared); }));
  shared.loader = {};
  std::thread stopper([stop = shared.loader.stop]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    stop.request();
  });
  CHECK_THROWS_AS(open_or_create(source, name, 100, shared), Stopped);
  stopper.join();
  CHECK_THROWS_AS(BatchLoader::open(name, Access::read_only, shared.loader), Stopped);
  maker.publish();
  CHECK(BatchLoader::open(name).num_batches() == 2);
}
