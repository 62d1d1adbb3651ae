// Goal: batch_means gives each batch the bits that mean() gives it, whoever reads which part, and says who
// read what. Method: machines of one to four nodes behind the fake system, teams of one to eight workers;
// batches from one element to more than a worker's share; then what can go wrong.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include <nodewise/buffer.hpp>
#include <nodewise/error.hpp>
#include <nodewise/means.hpp>

#include "support/machines.hpp"
#include "support/random_elements.hpp"

using namespace nodewise;
using test::same;
using test::World;

namespace {

struct PlacedSet {
  Team team;
  Plan plan;
  Buffer buffer;
};

TeamOptions workers(unsigned count, bool displaced = false) {
  TeamOptions options;
  options.workers = count;
  options.displaced = displaced;
  return options;
}

// Elements of "any" kind in placed memory.
PlacedSet dataset(Shape shape, DType dtype, std::uint64_t batch_size, const TeamOptions& team_options) {
  const auto topology = Topology::this_machine();
  const Team team(topology, team_options);
  const Plan plan(topology, {shape, dtype, batch_size});
  Buffer buffer = Buffer::allocate(plan, team);
  const auto data = test::elements(dtype, shape.samples * shape.features, test::any_bits, shape.samples);
  std::copy(data.begin(), data.end(), buffer.data());
  return {team, plan, std::move(buffer)};
}

void check_values(const PlacedSet& set, const Means& means) {
  REQUIRE(means.values.size() == set.plan.num_batches());
  unsigned wrong = 0;
  for (std::uint64_t batch = 0; batch < set.plan.num_batches(); ++batch) {
    const ByteRange bytes = set.plan.dataset().batch_bytes(batch);
    const double expected = mean(set.buffer.data() + bytes.begin, set.plan.dataset().dtype(),
                                 bytes.bytes() / dtype_bytes(set.plan.dataset().dtype()));
    wrong += same(means.values[batch], expected) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

std::vector<ReadRange> sorted_reads(const Means& means) {
  auto reads = means.reads;
  std::sort(reads.begin(), reads.end(),
            [](const ReadRange& a, const ReadRange& b) { return a.bytes.begin < b.bytes.begin; });
  return reads;
}

// Disjoint, covering the dataset, each part of a shard read by one of its readers.
void check_reads(const PlacedSet& set, const Means& means) {
  std::uint64_t next = 0;
  for (const ReadRange& read : sorted_reads(means)) {
    CHECK(read.bytes.begin == next);
    CHECK(read.bytes.bytes() > 0);
    next = read.bytes.end;
    for (std::size_t shard = 0; shard < set.plan.shards().size(); ++shard) {
      const ByteRange bytes = set.plan.shards()[shard].bytes;
      if (read.bytes.begin < bytes.begin || read.bytes.begin >= bytes.end) continue;
      CHECK(read.bytes.end <= bytes.end);
      const auto readers = set.team.readers(set.plan, shard);
      CHECK(std::count(readers.begin(), readers.end(), read.worker) == 1);
    }
  }
  CHECK(next == set.plan.dataset().total_bytes());
}

bool covers_once(const PlacedSet& set, const Means& means) {
  std::uint64_t next = 0;
  for (const ReadRange& read : sorted_reads(means)) {
    if (read.bytes.begin != next || read.worker >= set.team.workers().size()) return false;
    next = read.bytes.end;
  }
  return next == set.plan.dataset().total_bytes();
}

std::uint64_t most_read(const Means& means) {
  std::vector<std::uint64_t> bytes(means.team.size());
  for (const ReadRange& read : means.reads) bytes[read.worker] += read.bytes.bytes();
  return *std::max_element(bytes.begin(), bytes.end());
}

}  // namespace

TEST_CASE("the same bits from any number of workers and nodes, for every element type") {
  for (const unsigned nodes : {1U, 3U}) {
    World world(test::even_machine(nodes));
    for (const unsigned count : {1U, 2U, 3U, 8U})
      for (const DType dtype : all_dtypes) {
        CAPTURE(nodes);
        CAPTURE(count);
        CAPTURE(dtype_name(dtype));
        for (const std::uint64_t batch_size : {1U, 7U, 997U}) {
          const auto set = dataset({997, 61}, dtype, batch_size, workers(count));
          const Means means = batch_means(set.buffer, set.team);
          check_values(set, means);
          check_reads(set, means);
          CHECK(means.team.size() == count);
          CHECK_FALSE(means.on_calling_thread);
        }
      }
  }
}

TEST_CASE("means into the caller's memory, which must have one place for each") {
  World world(test::even_machine(2));
  const auto set = dataset({1000, 61}, DType::f32, 7, workers(3));
  const Means expected = batch_means(set.buffer, set.team);
  std::vector<double> values(set.plan.num_batches(), 5.0);
  const Means means = batch_means(set.buffer, set.team, values);
  CHECK(means.values.empty());
  CHECK(means.reads.size() == expected.reads.size());
  CHECK(values == expected.values);
  values.pop_back();
  CHECK_THROWS_WITH_AS(batch_means(set.buffer, set.team, values),
                       "batch_means: 142 values have no room for the means of 143 batches", InvalidArgument);
}

TEST_CASE("the same bits where workers help each other, and every byte is read once") {
  World world(test::even_machine(3));
  for (const DType dtype : {DType::f64, DType::f32, DType::u8})
    for (const std::uint64_t batch_size : {1U, 997U, 200000U}) {
      TeamOptions options = workers(6);
      options.scheduling = Scheduling::stealing;
      const auto set = dataset({200000, 61}, dtype, batch_size, options);
      for (int i = 0; i < 3; ++i) {
        const Means means = batch_means(set.buffer, set.team);
        check_values(set, means);
        CHECK(covers_once(set, means));
      }
    }
}

TEST_CASE("a batch larger than a worker's fair share is divided") {
  World world(test::even_machine(1, 8));
  const auto set = dataset({1, 1000003}, DType::f64, 1, workers(8));
  const Means means = batch_means(set.buffer, set.team);
  check_values(set, means);
  check_reads(set, means);
  CHECK(means.reads.size() == 8);
  CHECK(most_read(means) < set.plan.dataset().total_bytes() / 8 + 65536);

  const auto two = dataset({2, 300000}, DType::bf16, 1, workers(3));
  const Means both = batch_means(two.buffer, two.team);
  check_values(two, both);
  CHECK(both.reads.size() == 3);
}

TEST_CASE("infinities and NaN in a part of a divided batch are the whole batch's") {
  World world(test::even_machine(2, 4));
  for (const double special : {INFINITY, -INFINITY, NAN}) {
    auto set = dataset({4, 50000}, DType::f64, 2, workers(8));
    auto* elements = reinterpret_cast<double*>(set.buffer.data());
    elements[120000] = special;
    const Means means = batch_means(set.buffer, set.team);
    check_values(set, means);
    CHECK(std::isfinite(means.values[0]));
    CHECK_FALSE(std::isfinite(means.values[1]));
    elements[199999] = -special;
    CHECK(std::isnan(batch_means(set.buffer, set.team).values[1]));
  }
}

TEST_CASE("a million batches of one small row") {
  World world(test::even_machine(2));
  const auto set = dataset({1000000, 3}, DType::f32, 1, workers(3));
  const Means means = batch_means(set.buffer, set.team);
  check_values(set, means);
  check_reads(set, means);
}

TEST_CASE("nodes without workers, and workers on the wrong nodes") {
  World world(test::machine({{0}, {2, 0}, {5}}));
  for (const bool displaced : {false, true}) {
    const auto set = dataset({3000, 8}, DType::f32, 10, workers(2, displaced));
    const Means means = batch_means(set.buffer, set.team);
    check_values(set, means);
    check_reads(set, means);
  }
}

TEST_CASE("an empty dataset has no means") {
  World world(test::even_machine(2));
  const auto set = dataset({0, 4}, DType::f64, 3, workers(2));
  const Means means = batch_means(set.buffer, set.team);
  CHECK(means.values.empty());
  CHECK(means.reads.empty());
}

TEST_CASE("in a forked child the calling thread computes the same bits, and says so") {
  World world(test::even_machine(2));
  const auto set = dataset({100, 5000}, DType::f64, 60, workers(3));
  const Means parent = batch_means(set.buffer, set.team);
  const pid_t child = ::fork();
  if (child == 0) {
    const Means means = batch_means(set.buffer, set.team);
    const bool equal = std::equal(means.values.begin(), means.values.end(), parent.values.begin(),
                                  parent.values.end(), same);
    ::_exit(equal && means.on_calling_thread ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
