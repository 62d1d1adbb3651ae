// The parts of a plan, and the functions that compute it. partition.cpp divides the batches, cuts.cpp divides
// the pages, plan.cpp combines both, and json.cpp saves and reads plans.
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/plan.hpp>

namespace nodewise {

/// What the caller of a plan decides. Everything else in a plan follows from this and from the topology.
struct PlanParts {
  Dataset dataset;
  Policy policy = Policy::blocked;
  Binding binding = Binding::preferred;
  Weights weights = Weights::equal;
  std::size_t page_bytes = 0;
  std::size_t base_offset = 0;
  std::vector<unsigned> nodes;      ///< The logical index of each shard's node.
  std::vector<std::uint64_t> ends;  ///< The end of each shard's batches.
};

/// Checks the page size, the offset in the first page, and that all positions fit in 64 bits. Throws
/// InvalidArgument.
void check_pages(const PlanParts& parts);

/// The weight of each target. Their sum fits in 64 bits and is not 0. Throws InvalidArgument.
std::vector<std::uint64_t> plan_weights(const Topology& topology, const std::vector<unsigned>& targets,
                                        const PlanOptions& options);

/// The ends of the shards' batches: num_batches in proportion to the cumulative weights, rounded down.
std::vector<std::uint64_t> partition(std::uint64_t num_batches, const std::vector<std::uint64_t>& weights);

/// Gives each page that holds data to one shard: sets Shard::pages and Shard::cut_bytes. Preconditions: the
/// shards' bytes are consecutive from 0, and the end of the last page fits in 64 bits.
std::vector<Cut> deal_pages(std::vector<Shard>& shards, std::size_t page_bytes, std::size_t base_offset);

/// The changes that would avoid all cuts of `plan`.
std::optional<CutRemedy> cut_remedy_of(const Plan& plan, const Topology& topology);

}  // namespace nodewise
