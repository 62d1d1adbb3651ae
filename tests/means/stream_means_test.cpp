// Goal: batch_means of a stream gives each batch the bits that mean() gives it, wherever its run lies and
// whenever it comes, and stores them by number. Method: the same data as scattered, shuffled runs, on
// machines of one and of three nodes behind the fake system; streams that lend little at once, give a part,
// or fail.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include <nodewise/error.hpp>
#include <nodewise/means.hpp>

#include "support/machines.hpp"
#include "support/scattered_stream.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::same;
using test::ScatteredOptions;
using test::ScatteredStream;
using test::workers;
using test::World;

namespace {

std::vector<double> expected_means(const Dataset& dataset, const std::vector<std::byte>& data) {
  std::vector<double> means;
  for (std::uint64_t batch = 0; batch < dataset.num_batches(); ++batch) {
    const ByteRange bytes = dataset.batch_bytes(batch);
    means.push_back(
        mean(data.data() + bytes.begin, dataset.dtype(), bytes.bytes() / dtype_bytes(dataset.dtype())));
  }
  return means;
}

bool all_same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

// Whether what was read is the whole dataset, and nothing twice.
bool covers_once(const Dataset& dataset, Means means) {
  std::sort(means.reads.begin(), means.reads.end(),
            [](const ReadRange& a, const ReadRange& b) { return a.bytes.begin < b.bytes.begin; });
  std::uint64_t next = 0;
  for (const ReadRange& read : means.reads) {
    if (read.bytes.begin != next || read.worker >= means.team.size()) return false;
    next = read.bytes.end;
  }
  return next == dataset.total_bytes();
}

}  // namespace

TEST_CASE("the same bits for every element type, from runs in any order, on any number of workers") {
  for (const unsigned nodes : {1U, 3U}) {
    World world(test::even_machine(nodes));
    const auto topology = Topology::this_machine();
    for (const DType dtype : all_dtypes)
      for (const std::uint64_t batch_size : {1U, 7U, 400U, 997U}) {
        const Dataset dataset({997, 61}, dtype, batch_size);
        const auto data = test::elements_of(dataset);
        const auto expected = expected_means(dataset, data);
        for (const unsigned count : {1U, 2U, 5U}) {
          CAPTURE(nodes);
          CAPTURE(dtype_name(dtype));
          CAPTURE(batch_size);
          CAPTURE(count);
          const auto scheduling = count == 2 ? Scheduling::stealing : Scheduling::local;
          ScatteredStream stream(dataset, data.data(),
                                 {.most_batches_of_run = count * 9,
                                  .nodes = nodes,
                                  .every_third_node_unknown = count == 5,
                                  .most_leased = count == 1 ? 3U : 100U,
                                  .seed = count});
          const Means means = batch_means(stream, Team(topology, workers(count, scheduling)));
          CHECK(all_same(means.values, expected));
          CHECK(covers_once(dataset, means));
          CHECK(means.team.size() == count);
          CHECK(stream.leased() == 0);
        }
      }
  }
}

TEST_CASE("batches of one run that several workers share") {
  World world(test::even_machine(2, 4));
  const Dataset dataset({7, 100003}, DType::f64, 2);
  const auto data = test::elements_of(dataset);
  ScatteredStream stream(dataset, data.data(), {.most_batches_of_run = 1, .nodes = 2, .most_leased = 1});
  const Means means = batch_means(stream, Team(Topology::this_machine(), workers(8)));
  CHECK(all_same(means.values, expected_means(dataset, data)));
  CHECK(covers_once(dataset, means));
  CHECK(means.reads.size() == 4 * 4);  // four workers of the node for each batch
  CHECK(stream.most_leased() == 1);
}

TEST_CASE("more runs than a round has") {
  World world(test::even_machine(2));
  const Dataset dataset({5000, 3}, DType::f32, 1);
  const auto data = test::elements_of(dataset);
  ScatteredStream stream(dataset, data.data(), {.most_batches_of_run = 1, .nodes = 2});
  const Means means = batch_means(stream, Team(Topology::this_machine(), workers(3)));
  CHECK(all_same(means.values, expected_means(dataset, data)));
  CHECK(stream.most_leased() == 1024);
}

TEST_CASE("a stream is read from where it stands, and batches that it does not give have no mean") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(2));
  const Dataset dataset({60, 5}, DType::i32, 4);
  const auto data = test::elements_of(dataset);
  const auto expected = expected_means(dataset, data);
  ScatteredStream stream(dataset, data.data());
  const BatchRange gone = stream.next()->batches();
  const Means means = batch_means(stream, team);
  for (std::uint64_t batch = 0; batch < 15; ++batch) {
    const bool given = batch < gone.start || batch >= gone.stop;
    CHECK(same(means.values[batch], given ? expected[batch] : std::bit_cast<double>(0x7ff8000000000000)));
  }
  REQUIRE(stream.rewind());
  std::vector<double> values(15, 5.0);
  CHECK(batch_means(stream, team, values).values.empty());
  CHECK(all_same(values, expected));
  CHECK(batch_means(stream, team).reads.empty());  // it stands at its end
  values.pop_back();
  CHECK_THROWS_WITH_AS(batch_means(stream, team, values),
                       "batch_means: 14 values have no room for the means of 15 batches", InvalidArgument);
}

TEST_CASE("what reading a batch throws arrives, and batches given before it have their means") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(3));
  const Dataset dataset({100, 50}, DType::f32, 5);
  const auto data = test::elements_of(dataset);
  const auto expected = expected_means(dataset, data);
  for (const std::size_t most_leased : {1U, 2U, 100U}) {
    ScatteredStream stream(dataset, data.data(), {.most_leased = most_leased, .unreadable_batch = 11});
    std::vector<double> values(20, 5.0);
    CHECK_THROWS_WITH_AS(batch_means(stream, team, values), "batch 11", std::runtime_error);
    bool before = true;
    for (const BatchRange run : stream.runs()) {
      before = before && !(run.start <= 11 && 11 < run.stop);
      for (const auto batch : run) CHECK(same(values[batch], before ? expected[batch] : 5.0));
    }
    CHECK(stream.leased() == 0);
  }
}

TEST_CASE("a stream of no batches has no means, and the team is named all the same") {
  World world(test::even_machine(2));
  const Dataset dataset({0, 4}, DType::f64, 3);
  ScatteredStream stream(dataset, nullptr);
  const Means means = batch_means(stream, Team(Topology::this_machine(), workers(2)));
  CHECK(means.values.empty());
  CHECK(means.reads.empty());
  CHECK(means.team.size() == 2);
}
