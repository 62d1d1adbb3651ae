// Goal: whichever system call fails, whenever, the library gives an error or a named degradation, leaks
// nothing, and works again afterwards.
// Method: the whole life of a batch on a fake machine, over and over; each time the n-th call of one kind
// fails, for every kind and every n that occurs. Mappings and descriptors are counted.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>
#include <nodewise/replicated.hpp>

#include "support/machines.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::World;

namespace {

struct Outcome {
  bool threw = false;
  std::vector<double> means;
  bool complete = false;  // everything lies as planned, or what was lost has a name
};

void use_pools(const Team& team) {
  NodePools pools(team, {.pool = {.chunk_bytes = std::size_t{1} << 16}, .spill = Spill::nearest});
  const Replicated<std::pmr::vector<double>> table(pools, std::pmr::vector<double>(1000));
  std::pmr::vector<double> scratch(1000, &pools.local());
  static_cast<void>(pools.to_json());
}

// The dataset once more, in a segment that is opened by name.
std::vector<double> share(const LoaderOptions& options, const std::string& path) {
  SharedLoadOptions shared;
  shared.loader = options;
  const std::string name = test::unique_name("faults");
  const auto maker = open_or_create(open_source(path), name, 100, shared);
  const auto reader = open_or_create(open_source(path), name, 100, shared);
  static_cast<void>(test::list_own_segments());
  static_cast<void>(test::collect_own_segments());
  return reader.means();
}

// Everything there is: read a file, place, compute, ask, serve, write.
Outcome life_of_a_batch() {
  Outcome outcome;
  try {
    LoaderOptions options;
    options.team.workers = 3;
    const std::string path = NODEWISE_TEST_DATA "/digits.npy";
    auto loader = load_npy(path, 100, options);
    outcome.means = loader.means();
    if (share(options, path) != outcome.means) throw std::logic_error("other means in a segment");
    const auto placement = loader.placement();
    const auto bytes = placement.total();
    const bool as_planned = bytes.misplaced_bytes + bytes.absent_bytes + bytes.unknown_bytes == 0;
    outcome.complete = as_planned || !placement.degradations().empty();
    static_cast<void>(placement.to_json());
    static_cast<void>(loader.is_zero_copy(0));
    static_cast<void>(worker_reads(loader.buffer(), loader.compute_means()));
    static_cast<void>(residency(loader.buffer().topology(), loader.buffer().data(), 10000));
    use_pools(loader.team());
  } catch (const Error&) {
    outcome.threw = true;
  }
  return outcome;
}

// A name whose removal was made to fail stays, until its process has ended.
void remove_names_left() {
  for (const auto& path : test::own_files()) std::filesystem::remove(path);
}

}  // namespace

TEST_CASE("the n-th failure of every system call, for every n") {
  World world(test::even_machine(4));
  const auto sound = life_of_a_batch();
  REQUIRE_FALSE(sound.threw);
  const auto mask = world.fake.affinity().value;
  std::uint64_t failures = 0;
  for (unsigned kind = 0; kind < os::call_kinds; ++kind) {
    const auto call = static_cast<os::Call>(kind);
    const auto before = world.faulty.calls(call);
    life_of_a_batch();
    const auto occurring = world.faulty.calls(call) - before;
    for (const int error : {EPERM, ENOMEM, EINVAL})
      for (std::uint64_t nth = 1; nth <= occurring; ++nth) {
        CAPTURE(os::to_string(call));
        CAPTURE(nth);
        CAPTURE(error);
        world.faulty.fail(call, nth, error);
        const auto outcome = life_of_a_batch();
        ++failures;
        // Either an error, or the right means and no silent loss.
        if (!outcome.threw) CHECK(outcome.means == sound.means);
        if (!outcome.threw) CHECK(outcome.complete);
        CHECK(world.faulty.live_mappings() == 0);
        CHECK(world.faulty.live_descriptors() == 0);
      }
  }
  CHECK(failures > 100);
  world.fake.set_affinity(mask);  // a refused mask cannot be given back by anybody
  CHECK(life_of_a_batch().means == sound.means);
  remove_names_left();
}

TEST_CASE("each kind of call refused for good") {
  World world(test::even_machine(4));
  const auto sound = life_of_a_batch();
  for (unsigned kind = 0; kind < os::call_kinds; ++kind) {
    const auto call = static_cast<os::Call>(kind);
    CAPTURE(os::to_string(call));
    world.faulty.refuse(call, EPERM);
    const auto outcome = life_of_a_batch();
    world.faulty.refuse(call, 0);
    if (!outcome.threw) CHECK(outcome.means == sound.means);
    if (!outcome.threw) CHECK(outcome.complete);
    CHECK(world.faulty.live_mappings() == 0);
    CHECK(world.faulty.live_descriptors() == 0);
  }
  remove_names_left();
}
