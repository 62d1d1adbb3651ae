// What a plan is made of. plan.cpp puts it together, partition.cpp shares batches out, cuts.cpp
// deals the pages, json.cpp saves and reads.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/plan.hpp>

namespace nodewise {

/// All that a plan's caller decides; everything else in a plan follows from it and the topology.
struct PlanParts {
  Dataset dataset;
  Policy policy = Policy::blocked;
  Binding binding = Binding::preferred;
  Weights weights = Weights::equal;
  std::size_t page_bytes = 0;
  std::size_t base_offset = 0;
  std::vector<unsigned> nodes;      ///< Of each shard, logical index.
  std::vector<std::uint64_t> ends;  ///< Of each shard: its batches end before this one.
};

/// Checks the page, the offset into it and everything up to the last mapped byte. Throws InvalidArgument.
void check_pages(const PlanParts& parts);

/// The weight of each target, with a sum that fits in 64 bits and is not 0. Throws InvalidArgument.
std::vector<std::uint64_t> plan_weights(const Topology& topology, const std::vector<unsigned>& targets,
                                        const PlanOptions& options);

/// Where each shard's batches end: num_batches in proportion to the cumulative weights, rounded down.
std::vector<std::uint64_t> partition(std::uint64_t num_batches, const std::vector<std::uint64_t>& weights);

/// Deals every page that holds data to one shard: fills in Shard::pages and Shard::cut_bytes. Precondition:
/// the shards' bytes are consecutive from 0, and the last page's end fits in 64 bits.
std::vector<Cut> deal_pages(std::vector<Shard>& shards, std::size_t page_bytes, std::size_t base_offset);

/// What would make the cuts of `plan` zero.
std::optional<CutRemedy> cut_remedy_of(const Plan& plan, const Topology& topology);

}  // namespace nodewise
