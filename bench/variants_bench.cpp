// Means where the bytes are not, or not all, on their readers' nodes, beside passes that only read and are
// served as badly. There are no cases on a machine of one node, for all its bytes are local.
//
//   variants/placement:local/threads:T        f64; every worker beside its bytes. T: all, and one
//   variants/placement:remote/threads:T       every worker reads what lies on the next node
//   variants/placement:interleaved/threads:T  pages dealt out to all nodes
//   variants/placement:one_node/threads:T     all on one node and read from there, so that others are idle
#include <nodewise/means.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "support/bounds.hpp"
#include "support/data.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;

struct Variant {
  const char* placement;
  nodewise::PlanOptions plan;
  bool displaced = false;
};

nodewise::PlanOptions on_node(unsigned node) {
  nodewise::PlanOptions options;
  options.targets = {node};
  return options;
}

nodewise::PlanOptions interleaved() {
  nodewise::PlanOptions options;
  options.policy = nodewise::Policy::interleaved;
  return options;
}

/// Of all workers of the machine.
std::vector<Variant> of_all(const std::vector<unsigned>& nodes) {
  return {
      {"local", {}}, {"remote", {}, true}, {"interleaved", interleaved()}, {"one_node", on_node(nodes[0])}};
}

/// One worker has one node, so the bytes go where it is or is not.
std::vector<Variant> of_one(const std::vector<unsigned>& nodes) {
  const unsigned home = team(1).workers()[0].node;
  const unsigned away = nodes[0] == home ? nodes[1] : nodes[0];
  return {{"local", on_node(home)}, {"remote", on_node(away)}, {"interleaved", interleaved()}};
}

const Dataset& set_of(const Variant& variant) {
  constexpr std::uint64_t features = 128, batch_bytes = 4 << 20, row_bytes = features * sizeof(double);
  return dataset(nodewise::DType::f64, (large_mib() << 20) / row_bytes, features, batch_bytes / row_bytes,
                 variant.plan);
}

/// What each worker would compute the means of, it reads.
Work reading(const Dataset& set, const nodewise::Team& readers, const ReadPass& read) {
  return [&set, &readers, pass = read.pass] {
    readers.for_each_shard(set.plan, [&](const nodewise::ShardPart& part) {
      const std::uint64_t begin = set.plan.dataset().batch_bytes(part.batches.start).begin;
      const std::uint64_t end = set.plan.dataset().batch_bytes(part.batches.stop - 1).end;
      benchmark::DoNotOptimize(pass(set.data() + begin, end - begin));
    });
  };
}

void add_variant(const Variant& variant, unsigned threads) {
  const std::string name = fmt::format("variants/placement:{}/threads:{}", variant.placement, threads);
  const nodewise::Team& readers = team(threads, variant.displaced);
  add(name, "nodewise",
      [=, &readers]() -> Work {
        const Dataset& set = set_of(variant);
        return [&, means = std::vector<double>(set.plan.num_batches())]() mutable {
          benchmark::DoNotOptimize(nodewise::batch_means(set.buffer, readers, means));
        };
      },
      {.residency = [=, &readers] { return residency(set_of(variant).buffer, readers); }});
  for (const ReadPass& read : read_passes)
    add(name, read.name, [=, &readers, &read] { return reading(set_of(variant), readers, read); });
}

void add_cases() {
  const std::vector<unsigned> nodes = machine().default_targets();
  if (nodes.size() == 1) return;
  for (const Variant& variant : of_all(nodes)) add_variant(variant, cores());
  for (const Variant& variant : of_one(nodes)) add_variant(variant, 1);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
