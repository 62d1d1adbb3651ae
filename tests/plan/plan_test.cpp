// Goal: a plan gives every batch to one node and every page to one node, says exactly what is cut and what
// spills, and refuses what cannot be. Method: small cases by hand and the largest sizes there are; then every
// argument that is refused. Random shapes are in plan_property_test.cpp.
#include <nodewise/plan.hpp>

#include <doctest/doctest.h>

#include <cfenv>
#include <functional>
#include <limits>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::MiB;

namespace {

constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();

Topology even(unsigned nodes, std::uint64_t memory_bytes = 64 * MiB) {
  std::vector<test::NodeSpec> specs;
  for (unsigned index = 0; index < nodes; ++index) specs.push_back({index, 2, memory_bytes, true});
  return Topology::from_data(test::machine(specs));
}

std::vector<std::uint64_t> counts(const Plan& plan) {
  std::vector<std::uint64_t> result;
  for (const Shard& shard : plan.shards()) result.push_back(shard.batches.count());
  return result;
}

using Counts = std::vector<std::uint64_t>;

std::vector<unsigned> nodes(const Plan& plan) {
  std::vector<unsigned> result;
  for (const Shard& shard : plan.shards()) result.push_back(shard.node);
  return result;
}

/// The message of the error of type E that `make` throws.
template <class E>
std::string error_of(const std::function<void()>& make) {
  try {
    make();
  } catch (const E& error) {
    return error.what();
  } catch (const Error& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("batches are shared out evenly, the last shard among the largest") {
  const Plan plan(even(4), {{1797, 64}, DType::f64, 100});
  CHECK(plan.num_batches() == 18);
  CHECK(counts(plan) == Counts{4, 5, 4, 5});
  CHECK(plan.shards()[3].bytes == ByteRange{1300 * 512, 1797 * 512});
  CHECK(plan.dataset().batch_rows(16).count() == 100);
  CHECK(plan.dataset().batch_rows(17).count() == 97);
  CHECK(plan.dataset().row_bytes() == 512);
  CHECK(plan.dataset().total_bytes() == 1797 * 512);
  CHECK(plan.mapped_bytes() == 225 * 4096);
  CHECK(plan.page_bytes() == 4096);
}

TEST_CASE("a page goes to the shard with the most bytes on it, of several to the first") {
  const auto plan = [](std::uint64_t samples, std::size_t base_offset) {
    return Plan(even(2), {{samples, 1}, DType::u8, samples / 2},
                {.page_bytes = 16, .base_offset = base_offset});
  };
  SUBCASE("a tie") {
    const Plan tie = plan(16, 0);  // 8 and 8
    CHECK(tie.shards()[0].pages == ByteRange{0, 16});
    CHECK(tie.shards()[1].pages == ByteRange{16, 16});
    CHECK(tie.cuts() == std::vector<Cut>{{0, 0, 8}});
    CHECK(tie.shards()[1].cut_bytes == 8);
    CHECK(tie.cut_bytes() == 8);
  }
  SUBCASE("the second has more") {
    const Plan more = plan(40, 0);  // 20 and 20: on the page at 16 it is 4 and 12
    CHECK(more.shards()[0].pages == ByteRange{0, 16});
    CHECK(more.shards()[1].pages == ByteRange{16, 48});
    CHECK(more.cuts() == std::vector<Cut>{{16, 1, 4}});
    CHECK(more.shards()[0].cut_bytes == 4);
  }
  SUBCASE("positions count from the first page, not from the first byte") {
    const Plan offset = plan(40, 12);  // 32 to 52 is the second's
    CHECK(offset.cuts().empty());
    CHECK(offset.shards()[0].pages == ByteRange{0, 32});
    CHECK(offset.shards()[1].pages == ByteRange{32, 64});
    CHECK(offset.mapped_bytes() == 64);
  }
  SUBCASE("many shards in one page: all but one own nothing") {
    const Plan many(even(8), {{8, 1}, DType::u8, 1}, {.page_bytes = 4096});
    CHECK(many.shards()[0].pages == ByteRange{0, 4096});
    for (std::size_t shard = 1; shard < 8; ++shard) CHECK(many.shards()[shard].pages.bytes() == 0);
    CHECK(many.cuts() == std::vector<Cut>{{0, 0, 7}});
  }
}

TEST_CASE("weights") {
  auto data = test::machine({{0, 3, 10 * MiB, true}, {1, 1, 50 * MiB, true}, {2, 2, 20 * MiB, true}});
  data.nodes[2].allowed_cpus = {4};
  const Topology topology = Topology::from_data(data);
  const auto with = [&](const PlanOptions& options) {
    return counts(Plan(topology, {{80, 1}, DType::f32, 1}, options));
  };
  const auto given = [&](const std::vector<double>& weights) {
    return with({.weights = Weights::given, .given_weights = weights});
  };
  CHECK(with({}) == Counts{26, 27, 27});
  CHECK(with({.weights = Weights::cpus}) == Counts{48, 16, 16});
  CHECK(with({.weights = Weights::capacity}) == Counts{10, 50, 20});
  CHECK(given({1, 0, 1}) == Counts{40, 0, 40});
  CHECK(given({0, 1, 0}) == Counts{0, 80, 0});
  CHECK(given({0x1p1000, 0x1.8p1001, 0}) == Counts{20, 60, 0});
  CHECK(given({5e-324, 1.5e-323, -0.0}) == Counts{20, 60, 0});
  CHECK_MESSAGE((given({1, 0x1p-41, 1}) == Counts{40, 0, 40}), "2^-41 of the largest is 0");
  CHECK_MESSAGE((given({1, 5e-324, 1}) == Counts{40, 0, 40}), "whatever the exponents");
  CHECK(given({0x1p-31, 0x1p-1022, 0x1p-31}) == Counts{40, 0, 40});
  CHECK(given({1, 0.25, 0.75}) == Counts{40, 10, 30});
}

TEST_CASE("given weights mean the same under any rounding mode") {
  const auto ends = [] {
    const PlanOptions options{.weights = Weights::given, .given_weights = {1, 1.0 / 3, 0.1, 0.7}};
    return counts(Plan(even(4), {{std::uint64_t{1} << 52, 1}, DType::u8, 1}, options));
  };
  const Counts nearest = ends();
  // The largest is in [2^40, 2^41): each weight is floor(w * 2^40).
  const std::uint64_t weights[] = {1099511627776, 366503875925, 109951162777, 769658139443};
  const std::uint64_t sum = weights[0] + weights[1] + weights[2] + weights[3];
  CHECK(nearest[0] == base::mul_div(std::uint64_t{1} << 52, weights[0], sum));
  CHECK(nearest[0] + nearest[1] == base::mul_div(std::uint64_t{1} << 52, weights[0] + weights[1], sum));
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const Counts rounded = ends();
    std::fesetround(FE_TONEAREST);
    CHECK(rounded == nearest);
  }
}

TEST_CASE("targets: nodes with allowed CPUs and memory, others by name") {
  auto data = test::machine(
      {{0, 2, MiB, true}, {4, 0, MiB, true}, {5, 2, 0, true}, {6, 2, MiB, false}, {9, 2, MiB, true}});
  const Topology topology = Topology::from_data(data);
  const auto with = [&](const PlanOptions& options) {
    return Plan(topology, {{10, 1}, DType::u8, 1}, options);
  };
  CHECK(nodes(with({})) == std::vector<unsigned>{0, 4});
  CHECK(with({}).shards()[1].os_index == 9);
  CHECK(nodes(with({.targets = {3, 1, 0}})) == std::vector<unsigned>{3, 1, 0});
  CHECK_MESSAGE(with({.targets = {2}}).spill_bytes() == 4096, "a node without memory holds nothing");
  CHECK(with({.binding = Binding::required, .targets = {1, 0}}).spill_bytes() == 0);
  CHECK(error_of<PlacementError>([&] {
          with({.binding = Binding::required, .targets = {0, 3}});
        }) ==
        "Plan: binding is `required`, and this process may not allocate on node 6; widen its cpuset "
        "(cpuset.mems), leave the node out of the targets, or use binding `preferred`");
  CHECK(error_of<PlacementError>([&] {
          with({.binding = Binding::required, .targets = {2}});
        }).find("on node 5, which has 0 bytes") != std::string::npos);
}

TEST_CASE("nothing, and next to nothing") {
  for (const Policy policy : {Policy::blocked, Policy::interleaved}) {
    const Plan none(even(3), {{0, 5}, DType::f64, 10}, {.policy = policy, .base_offset = 8});
    CHECK(none.num_batches() == 0);
    CHECK(none.mapped_bytes() == 0);
    CHECK(none.shards().size() == 3);
    for (const Shard& shard : none.shards())
      CHECK((shard.pages == ByteRange{} && shard.bytes == ByteRange{}));
    CHECK_THROWS_WITH_AS(none.shard_of(0), "batch 0 does not exist; there are 0", OutOfRange);
  }
  const Plan one(even(3), {{1, 1}, DType::u8, 1000});
  CHECK(counts(one) == Counts{0, 0, 1});
  CHECK(one.dataset().batch_bytes(0) == ByteRange{0, 1});
  CHECK(one.shards()[2].pages == ByteRange{0, 4096});
  CHECK_THROWS_WITH_AS(one.dataset().batch_bytes(1), "batch 1 does not exist; there are 1, counted from 0",
                       OutOfRange);
}

TEST_CASE("a shard larger than its node") {
  const Topology topology = even(2, MiB);
  const auto with = [&](std::uint64_t samples, std::uint64_t batch_size, Binding binding) {
    return Plan(topology, {{samples, MiB / 4}, DType::u8, batch_size}, {.binding = binding});
  };
  CHECK(with(8, 1, Binding::required).spill_bytes() == 0);
  CHECK(with(9, 1, Binding::preferred).spill_bytes() == MiB / 4);
  CHECK(with(9, 1, Binding::preferred).shards()[1].spill_bytes == MiB / 4);
  CHECK(error_of<PlacementError>([&] { with(9, 1, Binding::required); }) ==
        "Plan: binding is `required`, and batches 4 to 8 need 1310720 bytes (1.2 MiB) of pages on node 1, "
        "which has 1048576 bytes (1 MiB); use more nodes, weights `capacity`, or binding `preferred`");
  CHECK_MESSAGE(error_of<PlacementError>([&] { with(12, 4, Binding::required); }).find("one batch") ==
                    std::string::npos,
                "a batch as large as a node is not too large");
  CHECK(error_of<PlacementError>([&] { with(5, 5, Binding::required); })
            .ends_with(
                "batch 0 needs 1310720 bytes (1.2 MiB) of pages on node 1, which has 1048576 bytes (1 MiB); "
                "one batch of 1310720 bytes (1.2 MiB) is more than the node: use a smaller batch size or "
                "binding `preferred`"));
}

TEST_CASE("a million million batches on 64 nodes, and the largest dataset there is") {
  const Plan plan(even(64), {{1000000000001, 1}, DType::u8, 1});
  CHECK(plan.num_batches() == 1000000000001);
  CHECK(plan.shard_of(0) == 0);
  CHECK(plan.shard_of(1000000000000) == 63);
  CHECK(plan.shards()[31].batches.stop == 500000000000);
  const std::uint64_t pages = highest / 4096;
  const Plan largest(even(3), {{pages, 512}, DType::f64, 1});
  CHECK(largest.dataset().total_bytes() == pages * 4096);
  CHECK(largest.mapped_bytes() == pages * 4096);
  CHECK(largest.dataset().batch_bytes(pages - 1).end == pages * 4096);
  const Plan one_batch(even(3), {{10, 1}, DType::f64, highest});
  CHECK(one_batch.num_batches() == 1);
  CHECK(one_batch.dataset().batch_rows(0).count() == 10);
}

TEST_CASE("sizes that overflow are refused with their numbers") {
  const auto make = [](Shape shape, DType dtype, const PlanOptions& options = {}) {
    return error_of<InvalidArgument>([&] { Plan(even(2), {shape, dtype, 1}, options); });
  };
  CHECK(make({1, highest}, DType::u16) ==
        "Dataset: 18446744073709551615 features x 2 bytes is more than 64 bits can count");
  CHECK(make({highest / 8 + 1, 2}, DType::f32) ==
        "Dataset: 2305843009213693952 samples x 8 bytes is more than 64 bits can count");
  CHECK(make({highest, 1}, DType::u8, {.page_bytes = 1}) == "no error");
  CHECK(make({highest, 1}, DType::u8, {.page_bytes = 2, .base_offset = 1}) ==
        "Plan: 18446744073709551615 bytes + base_offset 1 is more than 64 bits can count");
  CHECK(make({highest - 4095, 1}, DType::u8) == "no error");
  CHECK(make({highest - 4094, 1}, DType::u8) ==
        "Plan: 18446744073709547521 bytes in whole pages of 4096 bytes is more than 64 bits can count");
}

TEST_CASE("arguments that no machine could satisfy are refused") {
  const auto make = [](Shape shape, std::uint64_t batch_size, const PlanOptions& options = {}) {
    return error_of<InvalidArgument>([&] { Plan(even(2), {shape, DType::f64, batch_size}, options); });
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(make({1, 0}, 1) == "Dataset: a dataset has at least one feature, not 0");
  CHECK(make({1, 1}, 0) == "Dataset: a batch has at least one sample, not 0");
  CHECK(make({0, 1}, 0) == "Dataset: a batch has at least one sample, not 0");
  CHECK(make({1, 1}, 1, {.page_bytes = 4095}) == "Plan: page_bytes is 4095; it must be a power of two");
  CHECK(make({1, 1}, 1, {.base_offset = 4096}) ==
        "Plan: base_offset is 4096, and modulo page_bytes (4096) it must be less");
  CHECK(make({1, 1}, 1, {.targets = {1, 0, 1}}) == "Plan: target node 1 is named twice; name each node once");
  CHECK(make({1, 1}, 1, {.given_weights = {1, 1}}) ==
        "Plan: given_weights are set and weights are `equal`; set weights to `given`, or leave given_weights "
        "empty");
  const auto given = [&](const std::vector<double>& weights) {
    return make({1, 1}, 1, {.weights = Weights::given, .given_weights = weights});
  };
  CHECK(
      given({1}) ==
      "Plan: weights given: 1, target nodes: 2; give one weight for each node, in the order of the targets");
  CHECK(given({1, -1}) == "Plan: weight 1 is -1; weights are finite numbers from 0 up");
  CHECK(given({nan, 1}) == "Plan: weight 0 is nan; weights are finite numbers from 0 up");
  CHECK(given({infinity, 1}) == "Plan: weight 0 is inf; weights are finite numbers from 0 up");
  CHECK(given({0, -0.0}) == "Plan: given_weights are all 0; at least one must be more");
}

TEST_CASE("topologies that offer nothing are refused with a remedy") {
  const auto make = [](const Topology& topology, const PlanOptions& options) {
    return error_of<InvalidArgument>([&] { Plan(topology, {{1, 1}, DType::f64, 1}, options); });
  };
  const Topology odd =
      Topology::from_data(test::machine({{0, 0, MiB, true}, {1, 2, 0, true}, {2, 2, MiB, false}}));
  const Topology none = Topology::from_data(test::machine({{0, 2, 0, true}, {1, 2, MiB, false}}));
  CHECK(make(none, {}) == "Plan: this process may use no CPU or no memory of a test; name the target nodes");
  CHECK(make(odd, {.weights = Weights::cpus, .targets = {0}}).find("no target node has an allowed CPU") == 6);
  CHECK(make(odd, {.weights = Weights::capacity, .targets = {1}}).find("no target node has memory") == 6);
  CHECK(make(even(2, highest / 2 + 1), {.weights = Weights::capacity}) ==
        "Plan: the target nodes' memory adds up to more than 2^64 bytes (9223372036854775808 + "
        "9223372036854775808); weights by capacity cannot be formed");
  CHECK(error_of<OutOfRange>([&] {
          Plan(odd, {{1, 1}, DType::f64, 1}, {.targets = {0, 3}});
        }) == "Plan: target node 3 does not exist; a test has 3 nodes, counted from 0");
}
