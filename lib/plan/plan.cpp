#include <nodewise/plan.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <tuple>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "plan/parts.hpp"

namespace nodewise {
namespace {

using base::human_bytes;
using base::text;

std::string in_bytes(std::uint64_t bytes) {
  return bytes < 1024 ? text(bytes, " bytes") : text(bytes, " bytes (", human_bytes(bytes), ")");
}

/// Returns the sum, or throws an error that shows the calculation.
std::uint64_t fits(std::optional<std::uint64_t> result, const std::string& calculation) {
  if (!result) throw InvalidArgument(text("Plan: ", calculation, " is more than 64 bits can count"));
  return *result;
}

std::vector<unsigned> checked_targets(const Topology& topology, const std::vector<unsigned>& wanted) {
  std::vector<unsigned> targets = wanted.empty() ? topology.default_targets() : wanted;
  if (targets.empty())
    throw InvalidArgument(text("Plan: this process may use no CPU or no memory of ", topology.origin(),
                               "; name the target nodes"));
  for (const unsigned target : targets)
    if (target >= topology.nodes().size())
      throw OutOfRange(text("Plan: target node ", target, " does not exist; ", topology.origin(), " has ",
                            topology.nodes().size(), " nodes, counted from 0"));
  std::vector<unsigned> sorted = targets;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    throw InvalidArgument(text("Plan: target node ", *twice, " is named twice; name each node once"));
  return targets;
}

PlanParts parts_of(const Topology& topology, const Dataset& dataset, const PlanOptions& options) {
  PlanParts parts{.dataset = dataset,
                  .policy = options.policy,
                  .binding = options.binding,
                  .weights = options.weights,
                  .page_bytes = options.page_bytes == 0 ? topology.page_bytes() : options.page_bytes,
                  .base_offset = options.base_offset,
                  .nodes = checked_targets(topology, options.targets),
                  .ends = {}};
  parts.ends = partition(dataset.num_batches(), plan_weights(topology, parts.nodes, options));
  return parts;
}

/// "batch 7 needs", "batches 0 to 7 need".
std::string who_needs(const BatchRange& batches) {
  if (batches.count() == 1) return text("batch ", batches.start, " needs ");
  return text("batches ", batches.start, " to ", batches.stop - 1, " need ");
}

/// Throws PlacementError if `shard` does not fit on its node. `batch_bytes` are the bytes of its first batch.
void require_node(const Node& node, const Shard& shard, std::uint64_t batch_bytes) {
  if (!node.allowed)
    throw PlacementError(text("Plan: binding is `required`, and this process may not allocate on node ",
                              node.os_index, "; widen its cpuset (cpuset.mems), leave the node out of the ",
                              "targets, or use binding `preferred`"));
  if (shard.pages.bytes() <= node.memory_bytes || node.memory_unknown) return;
  const std::string problem =
      text("Plan: binding is `required`, and ", who_needs(shard.batches), in_bytes(shard.pages.bytes()),
           " of pages on node ", node.os_index, ", which has ", in_bytes(node.memory_bytes));
  if (batch_bytes > node.memory_bytes)
    throw PlacementError(text(problem, "; one batch of ", in_bytes(batch_bytes),
                              " is more than the node: use a smaller batch size or binding `preferred`"));
  throw PlacementError(text(problem, "; use more nodes, weights `capacity`, or binding `preferred`"));
}

}  // namespace

std::string_view to_string(Policy policy) noexcept {
  switch (policy) {
    case Policy::blocked:
      return "blocked";
    case Policy::interleaved:
      return "interleaved";
  }
  return {};
}

std::string_view to_string(Binding binding) noexcept {
  switch (binding) {
    case Binding::preferred:
      return "preferred";
    case Binding::required:
      return "required";
  }
  return {};
}

std::string_view to_string(Weights weights) noexcept {
  switch (weights) {
    case Weights::equal:
      return "equal";
    case Weights::cpus:
      return "cpus";
    case Weights::capacity:
      return "capacity";
    case Weights::given:
      return "given";
  }
  return {};
}

void check_pages(const PlanParts& parts) {
  if (parts.dataset.shape().features == 0)
    throw InvalidArgument("Plan: there is no dataset to plan for: it has no features");
  if (!std::has_single_bit(parts.page_bytes))
    throw InvalidArgument(text("Plan: page_bytes is ", parts.page_bytes, "; it must be a power of two"));
  if (parts.base_offset >= parts.page_bytes)
    throw InvalidArgument(text("Plan: base_offset is ", parts.base_offset, ", and modulo page_bytes (",
                               parts.page_bytes, ") it must be less"));
  const std::uint64_t total = parts.dataset.total_bytes();
  const std::uint64_t in_page = fits(base::checked_add(total, parts.base_offset),
                                     text(total, " bytes + base_offset ", parts.base_offset));
  fits(base::checked_add(in_page, parts.page_bytes - 1),
       text(in_page, " bytes in whole pages of ", parts.page_bytes, " bytes"));
}

Plan::Plan(const Topology& topology, const Dataset& dataset, const PlanOptions& options)
    : Plan(topology, parts_of(topology, dataset, options)) {}

Plan::Plan(const Topology& topology, const PlanParts& parts)
    : dataset_(parts.dataset),
      policy_(parts.policy),
      binding_(parts.binding),
      weights_(parts.weights),
      page_bytes_(parts.page_bytes),
      base_offset_(parts.base_offset),
      fingerprint_(topology.fingerprint()) {
  check_pages(parts);
  assert(!parts.ends.empty() && parts.ends.back() == num_batches());
  shards_.reserve(parts.ends.size());
  Shard shard;
  for (std::size_t index = 0; index < parts.ends.size(); ++index) {
    const std::uint64_t end = parts.ends[index];
    shard.node = parts.nodes[index];
    shard.os_index = topology.node(shard.node).os_index;
    shard.batches = {shard.batches.stop, end};
    shard.bytes = dataset_.bytes(shard.batches);
    shards_.push_back(shard);
  }
  if (policy_ == Policy::blocked) cuts_ = deal_pages(shards_, page_bytes_, base_offset_);
  remedy_ = cut_remedy_of(*this, topology);
  check_nodes(topology);
}

/// Compares the shards with the memory of their nodes. Under `required` a shard that is too large throws;
/// under `preferred` the excess is counted.
void Plan::check_nodes(const Topology& topology) {
  for (Shard& shard : shards_) {
    const Node& node = topology.node(shard.node);
    const std::uint64_t pages_bytes = shard.pages.bytes();
    if (binding_ == Binding::required)
      require_node(node, shard,
                   shard.batches.count() == 0 ? 0 : dataset_.batch_bytes(shard.batches.start).bytes());
    else if (pages_bytes > node.memory_bytes && !node.memory_unknown)
      shard.spill_bytes = pages_bytes - node.memory_bytes;
  }
}

std::uint64_t Plan::cut_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const Cut& cut : cuts_) sum += cut.cut_bytes;
  return sum;
}

std::uint64_t Plan::spill_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.spill_bytes;
  return sum;
}

std::size_t Plan::shard_of(std::uint64_t batch) const {
  dataset_.batch_rows(batch);  // it throws if there is no such batch
  const auto ends_before = [](std::uint64_t wanted, const Shard& shard) {
    return wanted < shard.batches.stop;
  };
  return static_cast<std::size_t>(std::upper_bound(shards_.begin(), shards_.end(), batch, ends_before) -
                                  shards_.begin());
}

std::uint64_t Plan::mapped_bytes() const noexcept {
  const std::uint64_t bytes = dataset_.total_bytes();
  return bytes == 0 ? 0 : base::round_up(base_offset_ + bytes, page_bytes_);
}

bool operator==(const Plan& a, const Plan& b) {
  const auto all = [](const Plan& plan) {
    return std::tie(plan.dataset_, plan.policy_, plan.binding_, plan.weights_, plan.page_bytes_,
                    plan.base_offset_, plan.fingerprint_, plan.shards_, plan.cuts_, plan.remedy_);
  };
  return all(a) == all(b);
}

}  // namespace nodewise
