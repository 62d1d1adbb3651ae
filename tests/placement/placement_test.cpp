// Goal: the report tells the truth about every byte, whatever way of asking is left, and a contract that is
// not kept is an error that names the shard.
// Method: buffers on the fake system; pages moved behind the library's back; calls refused.
#include <doctest/doctest.h>

#include <algorithm>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "base/json_reader.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::MiB;
using test::World;
using State = BatchRun::State;

namespace {

LoaderOptions with_workers(unsigned count) {
  LoaderOptions options;
  options.team.workers = count;
  return options;
}

// 64 batches of 64 KiB on each of the machine's nodes; boundaries on pages.
BatchLoader aligned_loader(unsigned nodes, const LoaderOptions& options = with_workers(4)) {
  return BatchLoader({{std::uint64_t{nodes} * 64 * 128, 64}, DType::f64, 128}, options);
}

bool adds_up(const PlacementBytes& bytes) {
  return bytes.planned_bytes == bytes.local_bytes + bytes.on_target_bytes + bytes.misplaced_bytes +
                                    bytes.cut_bytes + bytes.absent_bytes + bytes.unknown_bytes;
}

void check_sums(const Placement& placement) {
  CHECK(adds_up(placement.total()));
  std::uint64_t next = 0;
  for (const ShardPlacement& shard : placement.shards()) CHECK(adds_up(shard));
  for (const BatchRun& run : placement.batches()) {
    CHECK(run.batches.start == next);
    next = run.batches.stop;
  }
}

State state_of(const Placement& placement, std::uint64_t batch) {
  for (const BatchRun& run : placement.batches())
    if (batch >= run.batches.start && batch < run.batches.stop) return run.state;
  FAIL("batch is in no run");
  return State::unknown;
}

}  // namespace

TEST_CASE("everything as planned: one run of local batches") {
  World world(test::even_machine(4));
  const auto loader = aligned_loader(4);
  const auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.asking_rung() == AskingRung::move_pages);
  CHECK(placement.granularity() == "page");
  CHECK(placement.total().local_bytes == 16 * MiB);
  CHECK(placement.local_fraction() == 1.0);
  REQUIRE(placement.batches().size() == 1);
  CHECK(placement.batches()[0].state == State::local);
  CHECK_NOTHROW(placement.require(1.0));
  CHECK_NOTHROW(placement.require_planned());
}

TEST_CASE("pages that another program moved are found, by shard and batch") {
  World world(test::machine({{0}, {2}, {5}}));
  const auto loader = aligned_loader(3);
  const Shard moved = loader.plan().shards()[1];
  // The last byte of batch 70 and the first of 71: two pages, two batches.
  const auto border = loader.plan().dataset().batch_bytes(71).begin;
  world.fake.migrate(loader.buffer().data() + border - 1, 2, 5);
  const auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.total().misplaced_bytes == 8192);
  CHECK(placement.shards()[1].misplaced_bytes == 8192);
  CHECK(placement.shards()[1].bytes_on_node == std::vector<std::uint64_t>{0, 4 * MiB - 8192, 8192});
  CHECK(state_of(placement, 69) == State::local);
  CHECK(state_of(placement, 70) == State::misplaced);
  CHECK(state_of(placement, 71) == State::misplaced);
  CHECK(state_of(placement, 72) == State::local);
  CHECK_NOTHROW(placement.require(0.99));
  CHECK_THROWS_AS(placement.require_planned(), PlacementError);
  try {
    placement.require(1.0);
    FAIL("must throw");
  } catch (const PlacementError& error) {
    const std::string message = error.what();
    CHECK(message.find("shard 1 (node 2, batches 64 to 127): 8192 bytes misplaced") != std::string::npos);
  }
  CHECK(moved.os_index == 2);
}

TEST_CASE("cut bytes are those that the plan announced, and no fault") {
  World world(test::even_machine(4));
  for (const std::uint64_t batch_size : {1U, 3U, 7U, 50U}) {
    CAPTURE(batch_size);
    const BatchLoader loader({{1003, 13}, DType::f32, batch_size}, with_workers(4));
    REQUIRE(loader.plan().cut_bytes() > 0);
    const auto placement = loader.placement();
    check_sums(placement);
    CHECK(placement.total().cut_bytes == loader.plan().cut_bytes());
    CHECK(placement.total().misplaced_bytes == 0);
    CHECK(placement.total().absent_bytes == 0);
    CHECK_NOTHROW(placement.require_planned());
    std::uint64_t cut_batches = 0;
    for (const BatchRun& run : placement.batches())
      if (run.state == State::cut) cut_batches += run.batches.count();
    CHECK(cut_batches > 0);
  }
}

TEST_CASE("a batch far larger than the data is one batch") {
  World world(test::even_machine(2));
  for (const std::uint64_t batch_size : {std::uint64_t{1} << 61, (std::uint64_t{1} << 61) + 1}) {
    const BatchLoader loader({{10, 1}, DType::f64, batch_size}, with_workers(2));
    const auto placement = loader.placement();
    REQUIRE(placement.batches().size() == 1);
    CHECK(placement.batches()[0].batches == BatchRange{0, 1});
    CHECK(loader.means().size() == 1);
  }
}

TEST_CASE("without move_pages each shard is counted as its mapping") {
  World world(test::even_machine(4));
  world.faulty.refuse(os::Call::pages_status, EPERM);
  SUBCASE("mbind keeps the shards apart") {}
  SUBCASE("first touch does not, so a flag must") {
    world.faulty.refuse(os::Call::bind, EPERM);
  }
  const auto loader = aligned_loader(4);
  auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.asking_rung() == AskingRung::numa_maps);
  CHECK(placement.granularity() == "shard");
  CHECK(placement.local_fraction() == 1.0);
  CHECK_NOTHROW(placement.require(1.0));

  const Shard shard = loader.plan().shards()[2];
  world.fake.migrate(loader.buffer().data() + shard.pages.begin, 4096, 0);
  placement = loader.placement();
  check_sums(placement);
  CHECK(placement.total().misplaced_bytes == 4096);
  CHECK(placement.shards()[2].misplaced_bytes == 4096);
  CHECK(state_of(placement, shard.batches.start) == State::misplaced);
  CHECK(state_of(placement, shard.batches.start - 1) == State::local);
}

TEST_CASE("shards of odd sizes are counted exactly by mappings too") {
  World world(test::even_machine(3));
  world.faulty.refuse(os::Call::pages_status, ENOSYS);
  const BatchLoader loader({{1003, 13}, DType::f64, 50}, with_workers(3));
  const auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.total().misplaced_bytes == 0);
  CHECK(placement.total().unknown_bytes == 0);
  CHECK(placement.total().cut_bytes == loader.plan().cut_bytes());
}

TEST_CASE("where nothing can be asked everything is unknown and a requirement fails with the reason") {
  World world(test::even_machine(2));
  const auto loader = aligned_loader(2);
  world.faulty.refuse(os::Call::pages_status, EPERM);
  world.faulty.refuse(os::Call::read_text, EACCES);
  const auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.asking_rung() == AskingRung::none);
  CHECK(placement.total().unknown_bytes == 8 * MiB);
  CHECK_FALSE(placement.local_fraction().has_value());
  CHECK_THROWS_WITH_AS(placement.require(0.0), doctest::Contains("EPERM"), PlacementError);
  CHECK_THROWS_AS(placement.require_planned(), PlacementError);
}

TEST_CASE("pages that the kernel hides are unknown, not absent, and that is named") {
  World world(test::even_machine(2));
  const auto loader = aligned_loader(2);
  CHECK(loader.placement().degradations().empty());
  world.fake.hide(loader.buffer().data(), 8192);
  const auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.total().absent_bytes == 0);
  CHECK(placement.total().unknown_bytes == 8192);
  REQUIRE(placement.degradations().size() == 1);
  CHECK(placement.degradations()[0].kind == DegradationKind::pages_unknown);
  CHECK_THROWS_AS(placement.require(1.0), PlacementError);
}

TEST_CASE("pages never touched are absent") {
  World world(test::even_machine(2));
  auto pages = Pages::map(8 * MiB, PageKind::base);
  const auto loader = BatchLoader::adopt(pages.data(), {{8 * 128, 1024}, DType::f64, 8}, with_workers(2));
  CHECK(loader.placement().total().absent_bytes == 8 * MiB);
  world.fake.populate(pages.data(), MiB);
  const auto placement = loader.placement();
  check_sums(placement);
  CHECK(placement.total().absent_bytes == 7 * MiB);
  CHECK(placement.placing_rung() == PlacingRung::none);
}

TEST_CASE("what workers read is local when they stand right, remote when displaced") {
  World world(test::even_machine(4));
  for (const bool displaced : {false, true}) {
    CAPTURE(displaced);
    auto options = with_workers(8);
    options.team.displaced = displaced;
    const auto loader = aligned_loader(4, options);
    CHECK(loader.placement().total().misplaced_bytes == 0);
    std::uint64_t local = 0, remote = 0;
    for (const WorkerReads& reads : worker_reads(loader.buffer(), loader.compute_means())) {
      local += reads.local_bytes;
      remote += reads.remote_bytes;
      CHECK(reads.unknown_bytes == 0);
    }
    CHECK(local == (displaced ? 0 : 16 * MiB));
    CHECK(remote == (displaced ? 16 * MiB : 0));
  }
}

TEST_CASE("of what is cut, whole mappings say nothing") {
  World world(test::even_machine(2));
  world.faulty.refuse(os::Call::pages_status, EPERM);
  const BatchLoader loader({{1003, 13}, DType::f64, 50}, with_workers(2));
  std::uint64_t unknown = 0, remote = 0;
  for (const WorkerReads& reads : worker_reads(loader.buffer(), loader.compute_means())) {
    unknown += reads.unknown_bytes;
    remote += reads.remote_bytes;
  }
  CHECK(unknown == loader.plan().cut_bytes());
  CHECK(remote == 0);
}

TEST_CASE("residency of any memory, to the byte") {
  World world(test::even_machine(3));
  const auto topology = Topology::this_machine();
  auto pages = Pages::map(4 * 4096, PageKind::base);
  world.fake.bind(pages.data() + 4096, 4096, os::BindMode::preferred, 2);
  world.fake.populate(pages.data(), 2 * 4096);
  const auto found = residency(topology, pages.data() + 100, 3 * 4096);
  CHECK(found.asking_rung == AskingRung::move_pages);
  CHECK(found.bytes_on_node == std::vector<std::uint64_t>{3996, 0, 4096});
  CHECK(found.absent_bytes == 4196);
  world.faulty.refuse(os::Call::pages_status, EPERM);
  CHECK(residency(topology, pages.data(), 4 * 4096).asking_rung == AskingRung::numa_maps);
  CHECK(residency(topology, pages.data(), 4 * 4096).bytes_on_node ==
        std::vector<std::uint64_t>{4096, 0, 4096});
  CHECK(residency(topology, pages.data() + 1, 4096).unknown_bytes == 4096);  // not whole mappings
}

TEST_CASE("the report as JSON") {
  World world(test::machine({{0}, {7}}));
  const auto loader = aligned_loader(2);
  world.fake.migrate(loader.buffer().data(), 4096, 7);
  const auto json = base::parse_json(loader.placement().to_json());
  CHECK(*json.find("schema")->get_if<std::string>() == "nodewise.placement/1");
  CHECK(*json.find("misplaced_bytes")->get_if<std::uint64_t>() == 4096);
  CHECK(*json.find("placing_rung")->get_if<std::string>() == "mbind");
  const auto& nodes = *json.find("nodes")->get_if<base::JsonArray>();
  REQUIRE(nodes.size() == 2);
  CHECK(*nodes[1].find("os_index")->get_if<std::uint64_t>() == 7);
  CHECK(*nodes[0].find("host")->get_if<std::string>() == "fake");
}
