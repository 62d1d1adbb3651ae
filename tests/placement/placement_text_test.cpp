// Goal: what a placement says to people is whole and true: how pages were placed and asked about, where each
// batch lies, the sums, the verdict with its cause, and every loss. Method: whole texts, of buffers on the
// fake system; pages moved behind the library's back; calls refused.
#include <doctest/doctest.h>

#include <cerrno>
#include <sstream>

#include <nodewise/loader.hpp>

#include "support/machines.hpp"

using namespace nodewise;
using test::World;

namespace {

// Two nodes, four batches of a page each on either.
BatchLoader small_loader(Policy policy = Policy::blocked) {
  LoaderOptions options;
  options.pages = PageKind::base;
  options.policy = policy;
  options.team.workers = 2;
  return BatchLoader({{64, 64}, DType::f64, 8}, options);
}

bool says(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

}  // namespace

TEST_CASE("all as planned: pages, strips, sums, verdict") {
  World world(test::machine({{0}, {2}}));
  const auto loader = small_loader();
  const Placement placement = loader.placement();
  CHECK(placement.summary({.width = 60}) ==
        "Pages    base pages of 4 KiB, placed by mbind, verified by move_pages, page by page\n"
        "\n"
        "node 0  batches 0-3  16 KiB  |0=====|1=====|2=====|3=====|\n"
        "node 2  batches 4-7  16 KiB  |4=====|5=====|6=====|7=====|\n"
        "one cell is one batch: = as planned\n"
        "\n"
        "bytes on  planned  local  misplaced  cut  absent  unknown\n"
        "node 0      16384  16384          0    0       0        0\n"
        "node 2      16384  16384          0    0       0        0\n"
        "all         32768  32768          0    0       0        0\n"
        "\n"
        "Verdict  all 32768 bytes lie where the plan wants them\n");
  std::ostringstream out;
  out << placement;
  CHECK(out.str() == placement.summary());
  CHECK(placement.summary() == placement.picture() + '\n' + placement.verdict());
  CHECK_FALSE(says(placement.summary(), "\033"));
  CHECK(says(placement.verdict({.colour = true}), "\033[32mall 32768 bytes"));
}

TEST_CASE("what lies elsewhere is named by batches, nodes and cause") {
  World world(test::machine({{0}, {2}}));
  const auto loader = small_loader();
  world.fake.migrate(loader.buffer().data() + 5 * 4096, 2 * 4096, 0);
  const Placement placement = loader.placement();
  CHECK(says(placement.picture(), "|4"));
  CHECK(says(placement.picture(), "|5xxx"));
  CHECK(says(placement.picture(), "x on another node than planned"));
  CHECK(placement.verdict() ==
        "Verdict  8192 bytes lie on another node than planned: their node had no page free when they were "
        "touched, "
        "or they were moved since, by another program (migratepages, move_pages) or a change of the cpuset\n"
        "         batches 5-6, planned for node 2: 8192 bytes on node 0\n");
}

TEST_CASE("losses have a line each, and what was not asked is not called good") {
  World world(test::machine({{0}, {2}}));
  world.faulty.refuse(os::Call::bind, EPERM);
  world.faulty.refuse(os::Call::pages_status, EPERM);
  world.faulty.refuse(os::Call::read_text, EPERM);
  const Placement placement = small_loader().placement();
  CHECK(says(placement.picture(), "placed by first_touch, not verified: the kernel could not be asked\n"));
  CHECK(says(placement.picture(), "? the kernel does not tell the node"));
  CHECK(says(placement.verdict(), "Verdict  the kernel does not tell the node of 32768 bytes\n"));
  CHECK(says(placement.verdict(), "\nDegraded mbind-refused: mbind: Operation not permitted (EPERM)"));
  CHECK(says(placement.verdict(), "\nDegraded numa_maps-unreadable: "));
}

TEST_CASE("interleaved pages belong to no node, and nobody calls them local") {
  World world(test::machine({{0}, {2}}));
  const Placement placement = small_loader(Policy::interleaved).placement();
  CHECK(
      placement.summary({.width = 70}) ==
      "Pages    base pages of 4 KiB, placed by mbind, verified by move_pages, page by page\n"
      "\n"
      "read on node 0  batches 0-3  16 KiB  |0=====|1=====|2=====|3=====|\n"
      "read on node 2  batches 4-7  16 KiB  |4=====|5=====|6=====|7=====|\n"
      "one cell is one batch: = on any of these nodes\n"
      "\n"
      "bytes read on  planned  local  on a target  misplaced  cut  absent  unknown\n"
      "node 0           16384      -        16384          0    0       0        0\n"
      "node 2           16384      -        16384          0    0       0        0\n"
      "all              32768      -        32768          0    0       0        0\n"
      "\n"
      "Verdict  32768 bytes lie on pages that alternate over the nodes; interleaving promises no locality\n");
  for (const ShardPlacement& shard : placement.shards()) CHECK(shard.local_bytes == 0);
  REQUIRE(placement.batches().size() == 1);
  CHECK(placement.batches()[0].state == BatchRun::State::on_target);
  const std::string json = placement.to_json();
  CHECK(says(json, "\"local_bytes\": null"));
  CHECK(says(json, "\"on_target_bytes\": 32768"));
  CHECK(says(json, "\"state\": \"on_target\""));
  CHECK_FALSE(says(json, "\"local\""));
  CHECK(says(small_loader().placement().to_json(), "\"on_target_bytes\": null"));
}

TEST_CASE("interleaved pages that lie on no target, or not at all, are named") {
  World world(test::machine({{0}, {2}}));
  const auto loader = small_loader(Policy::interleaved);
  world.fake.hide(loader.buffer().data(), 8192);
  CHECK(says(loader.placement().verdict(), "24576 bytes lie on pages that alternate"));
  CHECK(says(loader.placement().verdict(), "the kernel does not tell the node of 8192 bytes"));
}

TEST_CASE("a plan is drawn as what came of it") {
  World world(test::machine({{0}, {2}}));
  const auto loader = small_loader();
  const std::string drawn = draw_batches(loader.plan(), planned_batches(loader.plan()));
  CHECK(says(loader.placement().picture(), drawn));
}

TEST_CASE("no width and no data are drawn too") {
  World world(test::machine({{0}, {2}}));
  CHECK(says(small_loader().placement().picture({.width = 0}), "node 2  batches 4-7  16 KiB  |4"));
  LoaderOptions options;
  options.pages = PageKind::base;
  const BatchLoader nothing({{0, 3}, DType::f64, 4}, options);
  CHECK(says(nothing.placement().summary(), "no batch"));
  CHECK(says(nothing.placement().summary(), "Verdict  all 0 bytes lie"));
}
