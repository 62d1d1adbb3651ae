// Goal: a lease keeps what it points to as long as it lives, on whatever thread it ends; a buffer is a stream
// of its shards; a round takes the runs that there are at once and divides them among the workers of their
// nodes; streams that give what they cannot have are refused. Method: leases that outlive everything else;
// streams whose memory dies with the lease; rounds held against the plan's own division.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <type_traits>
#include <vector>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/error.hpp>
#include <nodewise/stream.hpp>

#include "batches/rounds.hpp"
#include "support/machines.hpp"
#include "support/scattered_stream.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::ListStream;
using test::ScatteredStream;
using test::workers;
using test::World;

namespace {

static_assert(!std::is_copy_constructible_v<BatchLease> && std::is_nothrow_move_constructible_v<BatchLease>);

// Sets `ended` when the last owner goes.
std::shared_ptr<const std::byte> memory_that_tells(std::atomic<int>& ended) {
  return {new std::byte[64], [&ended](const std::byte* data) {
            delete[] data;
            ++ended;
          }};
}

std::vector<BatchRange> ranges(std::span<const BatchLease> runs) {
  std::vector<BatchRange> found;
  for (const BatchLease& run : runs) found.push_back(run.batches());
  return found;
}

// How many units each worker has of each run.
std::vector<std::vector<std::uint64_t>> by_worker_and_run(const std::vector<RunPart>& parts,
                                                          std::size_t count, std::size_t runs) {
  std::vector<std::vector<std::uint64_t>> units(count, std::vector<std::uint64_t>(runs));
  for (const RunPart& part : parts) units[part.worker][part.run] += part.units.size();
  return units;
}

std::uint64_t batches_of(const BatchLease& run) {
  return run.batches().count();
}

}  // namespace

TEST_CASE("a lease moves, ends once, and may end on another thread") {
  std::atomic<int> ended{0};
  BatchLease first(memory_that_tells(ended), {3, 5}, 1);
  BatchLease second(std::move(first));
  CHECK(first.data() == nullptr);
  CHECK(second.batches() == BatchRange{3, 5});
  CHECK(second.node() == 1U);
  second = BatchLease(memory_that_tells(ended), {7, 8});
  CHECK(ended == 1);
  CHECK(second.node() == std::nullopt);
  std::thread([lease = std::move(second)] { CHECK(lease.data() != nullptr); }).join();
  CHECK(ended == 2);
}

TEST_CASE("a buffer is a stream of its shards, whose leases outlive buffer and stream") {
  World world(test::even_machine(3));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(3));
  const Dataset dataset({100, 5}, DType::f32, 7);
  const auto data = test::elements_of(dataset);
  std::vector<BatchLease> leases;
  {
    const Plan plan(topology, dataset);
    Buffer buffer = Buffer::allocate(plan, team);
    std::copy(data.begin(), data.end(), buffer.data());
    BufferStream stream(buffer);
    CHECK(stream.dataset() == dataset);
    for (int pass = 0; pass < 2; ++pass) {
      leases.clear();
      while (stream.ready()) leases.push_back(*stream.next());
      CHECK_FALSE(stream.next());
      CHECK(stream.rewind());
    }
    REQUIRE(leases.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(leases[i].batches() == plan.shards()[i].batches);
      CHECK(leases[i].node() == plan.shards()[i].node);
    }
  }
  for (const BatchLease& lease : leases) {
    const ByteRange bytes = dataset.bytes(lease.batches());
    CHECK(std::equal(lease.data(), lease.data() + bytes.bytes(),
                     data.begin() + static_cast<long>(bytes.begin)));
  }
}

TEST_CASE("a buffer of fewer batches than nodes gives no run of none, an empty one no run at all") {
  World world(test::even_machine(4));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(4));
  for (const std::uint64_t samples : {0U, 2U}) {
    const Buffer buffer = Buffer::allocate(Plan(topology, {{samples, 3}, DType::i8, 1}), team);
    BufferStream stream(buffer);
    StreamRounds rounds(stream, "test");
    CHECK(rounds.next().size() == samples);
    CHECK(rounds.next().empty());
  }
}

TEST_CASE("a round has the runs that there are at once, and ends those of the last round first") {
  const Dataset dataset({40, 2}, DType::u16, 2);
  const auto data = test::elements_of(dataset);
  test::ScatteredOptions options;
  options.most_leased = 4;
  ScatteredStream stream(dataset, data.data(), options);
  std::vector<BatchRange> seen;
  {
    StreamRounds rounds(stream, "test");
    for (auto runs = rounds.next(); !runs.empty(); runs = rounds.next()) {
      CHECK(runs.size() == std::min<std::size_t>(4, stream.runs().size() - seen.size()));
      CHECK(stream.leased() == runs.size());
      const auto found = ranges(runs);
      seen.insert(seen.end(), found.begin(), found.end());
    }
  }
  CHECK(seen == stream.runs());
  CHECK(stream.leased() == 0);
  CHECK(stream.most_leased() == 4);
}

TEST_CASE("runs on a node are divided among its workers as one sequence, those of no known node among all") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(4));
  static const std::byte data{};
  std::vector<BatchLease> runs;
  const std::shared_ptr<const std::byte> memory(&data, [](const std::byte*) {});
  for (const auto& [begin, end, node] : {std::tuple{0U, 1U, 0}, {1U, 5U, 1}, {5U, 6U, 0}, {6U, 10U, -1}})
    runs.emplace_back(memory, BatchRange{begin, end},
                      node < 0 ? std::nullopt : std::optional<unsigned>(static_cast<unsigned>(node)));
  const auto units = by_worker_and_run(divide_round(runs, team, batches_of), 4, 4);
  CHECK(units ==
        std::vector<std::vector<std::uint64_t>>{{1, 0, 0, 1}, {0, 0, 1, 1}, {0, 2, 0, 1}, {0, 2, 0, 1}});
}

TEST_CASE("a buffer is divided as its plan says, also where a node has no worker and workers are displaced") {
  World world(test::machine({{0, 2}, {3, 0}, {4, 3}}));
  const auto topology = Topology::this_machine();
  TeamOptions options = workers(5);
  for (const bool displaced : {false, true}) {
    options.displaced = displaced;
    const Team team(topology, options);
    const Plan plan(topology, {{101, 4}, DType::f64, 2});
    const Buffer buffer = Buffer::allocate(plan, team);
    BufferStream stream(buffer);
    StreamRounds rounds(stream, "test");
    const auto runs = rounds.next();
    for (const RunPart& part : divide_round(runs, team, batches_of)) {
      const auto readers = team.readers(plan, plan.shard_of(runs[part.run].batches().start));
      CHECK(std::count(readers.begin(), readers.end(), part.worker) == 1);
    }
  }
}

TEST_CASE("what a stream cannot have is refused by name") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(2));
  const Dataset dataset({10, 1}, DType::u8, 2);
  const auto data = std::make_shared<const std::byte>();
  const auto given = [&](std::vector<BatchRange> ranges, std::shared_ptr<const std::byte> memory) {
    std::vector<BatchLease> runs;
    for (const BatchRange range : ranges) runs.emplace_back(memory, range);
    ListStream stream(dataset, std::move(runs));
    StreamRounds(stream, "test").next();
  };
  CHECK_THROWS_WITH_AS(given({{3, 6}}, data), "test: the stream gave batches 3 to 6 of a dataset of 5",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(given({{2, 2}}, data), "test: the stream gave batches 2 to 2 of a dataset of 5",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(given({{2, 3}}, nullptr),
                       "test: the stream gave batches 2 to 3 without data of a dataset of 5",
                       InvalidArgument);
  CHECK_THROWS_WITH_AS(given({{0, 5}, {4, 5}}, data),
                       "test: the stream gave 6 batches of a dataset of 5; each may come once",
                       InvalidArgument);
  std::vector<BatchLease> afar;
  afar.emplace_back(data, BatchRange{0, 1}, 9);
  CHECK_THROWS_AS(divide_round(afar, team, batches_of), OutOfRange);
}
