// Goal: whatever the shape, a plan covers every batch, byte and page once, and its cuts are those that there
// are. Method: seeded random shapes, small enough to walk over every byte of every batch, held against the
// plan.
#include <nodewise/plan.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <random>

#include "support/machines.hpp"

using namespace nodewise;

namespace {

Topology even(unsigned nodes, std::uint64_t memory_bytes) {
  std::vector<test::NodeSpec> specs;
  for (unsigned index = 0; index < nodes; ++index) specs.push_back({index, 2, memory_bytes, true});
  return Topology::from_data(test::machine(specs));
}

std::vector<BatchRange> batches(const Plan& plan) {
  std::vector<BatchRange> result;
  for (const Shard& shard : plan.shards()) result.push_back(shard.batches);
  return result;
}

/// The same machine with pages of some small sizes.
Topology with_pages(const Topology& topology, std::mt19937_64& random) {
  MachineData data;
  data.nodes.assign(topology.nodes().begin(), topology.nodes().end());
  data.page_bytes = 1;
  for (Node& node : data.nodes) {
    node.pools = {{1, 0, 0}};
    for (std::size_t page_bytes = 2; page_bytes <= 512; page_bytes *= 2)
      if (random() % 4 == 0) node.pools.push_back({page_bytes, 0, 0});
  }
  return Topology::from_data(data);
}

struct Case {
  Topology topology = even(1, 1);
  Shape shape;
  DType dtype = DType::u8;
  std::uint64_t batch_size = 1;
  PlanOptions options;
  Plan plan() const { return Plan(topology, {shape, dtype, batch_size}, options); }
};

Case random_case(std::mt19937_64& random) {
  const auto upto = [&](std::uint64_t limit) { return random() % (limit + 1); };
  Case result;
  const auto num_nodes = static_cast<unsigned>(1 + upto(8));
  result.topology = even(num_nodes, 1 + upto(2000));
  result.topology = with_pages(result.topology, random);
  result.shape = {upto(200), 1 + upto(9)};
  result.dtype = all_dtypes[upto(11)];
  result.batch_size = 1 + upto(30);
  result.options.page_bytes = std::size_t{1} << upto(9);
  if (upto(2) == 0) result.options.base_offset = upto(result.options.page_bytes - 1);
  if (upto(1) == 0) {
    result.options.weights = Weights::given;
    for (unsigned node = 0; node < num_nodes; ++node)
      result.options.given_weights.push_back(static_cast<double>(upto(3)) / 3);
    result.options.given_weights[upto(num_nodes - 1)] = 1;
  }
  return result;
}

/// Bytes of each shard on each page, found by walking over every byte of every batch.
std::map<std::uint64_t, std::map<std::size_t, std::uint64_t>> count_bytes(const Plan& plan) {
  std::map<std::uint64_t, std::map<std::size_t, std::uint64_t>> result;
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard)
    for (const auto batch : plan.shards()[shard].batches)
      for (std::uint64_t byte = plan.dataset().batch_bytes(batch).begin;
           byte < plan.dataset().batch_bytes(batch).end; ++byte)
        ++result[(byte + plan.base_offset()) / plan.page_bytes() * plan.page_bytes()][shard];
  return result;
}

void check_partition(const Plan& plan) {
  std::uint64_t batch = 0;
  std::uint64_t byte = 0;
  for (const Shard& shard : plan.shards()) {
    REQUIRE(shard.batches.start == batch);
    REQUIRE(shard.bytes.begin == byte);
    for (; batch < shard.batches.stop; ++batch) {
      REQUIRE(&plan.shards()[plan.shard_of(batch)] == &shard);
      REQUIRE(plan.dataset().batch_bytes(batch).begin == byte);
      byte = plan.dataset().batch_bytes(batch).end;
      REQUIRE(byte == std::min((batch + 1) * plan.dataset().batch_size(), plan.dataset().shape().samples) *
                          plan.dataset().row_bytes());
    }
    REQUIRE(shard.bytes.end == byte);
  }
  REQUIRE(batch == plan.num_batches());
  REQUIRE(byte == plan.dataset().total_bytes());
}

void check_pages(const Plan& plan) {
  std::vector<Cut> cuts;
  std::vector<std::uint64_t> cut_bytes(plan.shards().size(), 0);
  std::vector<std::uint64_t> pages(plan.shards().size(), 0);
  for (const auto& [page, bytes] : count_bytes(plan)) {
    const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
    const std::size_t owner = std::max_element(bytes.begin(), bytes.end(), fewer)->first;
    pages[owner] += plan.page_bytes();
    Cut cut{page, static_cast<std::uint32_t>(owner), 0};
    for (const auto& [shard, count] : bytes) {
      if (shard == owner) continue;
      cut.cut_bytes += count;
      cut_bytes[shard] += count;
    }
    if (cut.cut_bytes > 0) cuts.push_back(cut);
    const ByteRange& range = plan.shards()[owner].pages;
    REQUIRE((range.begin <= page && page + plan.page_bytes() <= range.end));
  }
  REQUIRE(plan.cuts() == cuts);
  std::uint64_t end = 0;
  for (std::size_t index = 0; index < plan.shards().size(); ++index) {
    const Shard& shard = plan.shards()[index];
    REQUIRE(shard.pages.begin == end);
    REQUIRE(shard.pages.bytes() == pages[index]);
    REQUIRE(shard.cut_bytes == cut_bytes[index]);
    end = shard.pages.end;
  }
  REQUIRE(end == plan.mapped_bytes());
}

void check_remedy(const Case& tried, const Plan& plan) {
  const auto remedy = plan.cut_remedy();
  if (plan.cuts().empty()) REQUIRE(!remedy);
  if (!remedy) return;
  const auto cut_free = [&](std::uint64_t batch_size, std::size_t page_bytes) {
    Case changed = tried;
    changed.batch_size = batch_size;
    changed.options.page_bytes = page_bytes;
    changed.options.base_offset %= page_bytes;
    return changed.plan().cuts().empty();
  };
  const auto whole_pages = [&](std::uint64_t size) {
    return size * plan.dataset().row_bytes() % plan.page_bytes() == 0;
  };
  std::uint64_t size = plan.dataset().batch_size();
  if (plan.base_offset() == 0) {
    while (size > 0 && !whole_pages(size)) --size;
    REQUIRE(remedy->smaller_batch_size.value_or(0) == size);
    for (size = plan.dataset().batch_size(); !whole_pages(size);) ++size;
    REQUIRE(remedy->larger_batch_size.value_or(size) == size);
    REQUIRE(remedy->larger_batch_size.has_value() == (size < plan.dataset().shape().samples));
  }
  for (const auto& changed : {remedy->smaller_batch_size, remedy->larger_batch_size})
    if (changed) REQUIRE(cut_free(*changed, plan.page_bytes()));
  std::size_t best = 0;
  for (const Node& node : tried.topology.nodes())
    for (const PagePool& pool : node.pools)
      if (cut_free(plan.dataset().batch_size(), pool.page_bytes)) best = std::max(best, pool.page_bytes);
  REQUIRE(remedy->page_bytes == best);
}

void check_balance(const Plan& plan) {
  if (plan.weights() != Weights::equal || plan.num_batches() == 0) return;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t most = 0;
  for (const Shard& shard : plan.shards()) {
    least = std::min(least, shard.bytes.bytes());
    most = std::max(most, shard.bytes.bytes());
  }
  REQUIRE(most - least <= plan.dataset().batch_size() * plan.dataset().row_bytes());
  REQUIRE(plan.shards().back().batches.count() > 0);
}

}  // namespace

TEST_CASE("any shape: every byte and every page accounted for") {
  std::mt19937_64 random(20261120);
  for (int round = 0; round < 3000; ++round) {
    const Case tried = random_case(random);
    const Plan plan = tried.plan();
    CAPTURE(plan.to_json());
    check_partition(plan);
    check_pages(plan);
    check_remedy(tried, plan);
    check_balance(plan);
    for (const Shard& shard : plan.shards()) {
      const std::uint64_t memory_bytes = tried.topology.node(shard.node).memory_bytes;
      REQUIRE(shard.spill_bytes == shard.pages.bytes() - std::min(shard.pages.bytes(), memory_bytes));
    }
    REQUIRE(Plan::from_json(plan.to_json(), tried.topology) == plan);
  }
}

TEST_CASE("interleaved: who computes what, and no page promised") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    Case tried = random_case(random);
    const Plan blocked = tried.plan();
    tried.options.policy = Policy::interleaved;
    const Plan plan = tried.plan();
    check_partition(plan);
    REQUIRE(batches(plan) == batches(blocked));
    REQUIRE(plan.mapped_bytes() == blocked.mapped_bytes());
    REQUIRE(plan.cuts().empty());
    REQUIRE(!plan.cut_remedy());
    REQUIRE(plan.cut_bytes() + plan.spill_bytes() == 0);
    for (const Shard& shard : plan.shards()) REQUIRE(shard.pages == ByteRange{});
    REQUIRE(plan != blocked);
  }
}
