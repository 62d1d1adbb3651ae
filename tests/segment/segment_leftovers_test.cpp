// Goal: what processes use to work together begins anew, whatever a killed job left under its name; what is
// kept, is in use, or has a living maker is left alone. Method: children that are killed with segments of
// each kind.
#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <functional>

#include <nodewise/batch_ring.hpp>
#include <nodewise/load.hpp>
#include <nodewise/shared_objects.hpp>

#include "ring/rings.hpp"
#include "segment/names.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::Child;
using test::code_of;
using test::Signal;
using test::tags;
using test::unique_name;

namespace {

bool exists(const std::string& name) {
  return std::filesystem::exists(segment_path(memory_folder, name));
}

// A child that runs `make`, and is killed while it has what that gave.
template <class Make>
void die_with(const Make& make) {
  Signal made;
  Child maker([&] {
    const auto held = make();
    return made.give_and_stay();
  });
  made.await();
  maker.kill();
}

SharedObjects half_way(const std::string& name, const SharedObjectsOptions& options = {}) {
  const auto objects = SharedObjects::create(name, options);
  objects.value("count", 5);
  try {
    objects.barrier("barrier", 2).wait_for(1ms);
  } catch (const BrokenBarrier&) {
  }
  return objects;
}

}  // namespace

TEST_CASE("objects of a killed job: the next job's are new") {
  const auto name = unique_name("objects");
  die_with([&] { return half_way(name); });
  REQUIRE(exists(name));
  SUBCASE("opened or created") {
    const auto objects = SharedObjects::open_or_create(name);
    CHECK(objects.value("count", 0).load() == 0);
    CHECK_FALSE(objects.barrier("barrier", 2).broken());
  }
  SUBCASE("created") {
    CHECK(SharedObjects::create(name).list().empty());
  }
  SUBCASE("opened: there are none") {
    CHECK(code_of([&] { SharedObjects::open(name); }) == ENOENT);
  }
  CHECK_FALSE(exists(name));
}

TEST_CASE("of processes that find what a killed job left, all get the same new objects") {
  for (int round = 0; round < 20; ++round) {
    const auto name = unique_name("at-once");
    const auto gate = SharedObjects::create("");
    die_with([&] { return half_way(name); });
    auto children = test::start(4, [&](int) {
      gate.barrier("gate", 4).arrive_and_wait();
      const auto objects = SharedObjects::open_or_create(name);
      objects.value("count", 0).fetch_add(1);
      gate.barrier("end", 4).arrive_and_wait();
      return objects.value<int>("count").load() == 4;
    });
    CHECK(test::all_well(children));
    CHECK_FALSE(exists(name));
  }
}

TEST_CASE("a ring of a killed job is none, and can be made again") {
  const auto name = unique_name("ring");
  die_with([&] {
    const auto ring = BatchRing::create(name, tags(4));
    auto producer = ring.producer();
    test::publish(producer, 1);
    ring.close();
    return ring;
  });
  REQUIRE(exists(name));
  SUBCASE("after it was looked for") {
    CHECK(code_of([&] { BatchRing::open(name); }) == ENOENT);
  }
  SUBCASE("or at once") {}
  const auto ring = BatchRing::create(name, tags(4));
  CHECK_FALSE(ring.closed());
  CHECK_FALSE(ring.consumer().try_lease().has_value());
}

TEST_CASE("a dataset that a killed job wrote into is loaded again") {
  const auto name = unique_name("dataset");
  const auto source = open_source(NODEWISE_TEST_DATA "/digits.npy");
  const auto first = [&](const BatchLoader& loader) {
    return loader.get_batch(0).as<const std::uint8_t>()(0, 2);
  };
  const auto was = first(load(source, 100));
  die_with([&] {
    auto loader = open_or_create(source, name, 100);
    loader.write_to_buffer(0, 2, was + 1);
    return loader;
  });
  CHECK(first(open_or_create(source, name, 100)) == was);
}

TEST_CASE("left alone: what is kept, what another process holds, what has a living maker") {
  const auto kept = unique_name("kept"), used = unique_name("used"), living = unique_name("living");
  die_with([&] { return half_way(kept, {.keep = true}); });
  CHECK(SharedObjects::open_or_create(kept).value("count", 0).load() == 5);
  CHECK(code_of([&] { SharedObjects::create(kept); }) == EEXIST);
  SharedObjects::open(kept).remove();

  Signal made;
  Child maker([&] {
    const auto one = half_way(used), other = half_way(living);
    return made.give_and_stay();
  });
  made.await();
  CHECK(SharedObjects::open_or_create(living).value("count", 0).load() == 5);
  const auto holds = SharedObjects::open(used);
  maker.kill();
  CHECK(SharedObjects::open_or_create(used).value("count", 0).load() == 5);
  CHECK(code_of([&] { BatchRing::create(used, tags(1)); }) == EEXIST);
  CHECK(SharedObjects::open_or_create(living).value("count", 0).load() == 0);
}

TEST_CASE("segments are listed and collected by what their names begin with, and others are left alone") {
  const auto mine = unique_name("job.1"), other = unique_name("job.2");
  for (const auto& name : {mine, other}) die_with([&] { return half_way(name); });
  const auto listed = list_segments(mine);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].name == mine);
  for (const bool dry_run : {true, false}) {
    const auto collected = collect_segments({.dry_run = dry_run, .prefix = mine});
    REQUIRE(collected.size() == 1);
    CHECK(collected[0].name == mine);
    CHECK(exists(mine) == dry_run);
    CHECK(exists(other));
  }
  CHECK(collect_segments({.prefix = mine}).empty());
  CHECK(test::collect_own_segments().size() == 1);
  CHECK_FALSE(exists(other));
}
