#include <bit>
#include <cstddef>

#include <nodewise/c/pools.h>

#include "c/calls.hpp"
#include "c/objects.hpp"
#include "c/options.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

static_assert(static_cast<int>(Spill::none) == NW_SPILL_NONE &&
              static_cast<int>(Spill::nearest) == NW_SPILL_NEAREST);

NodePoolsOptions pools_options_of(const nw_pools_options* options, const char* call) {
  const nw_pools_options given = read_options(options, call);
  NodePoolsOptions result;
  if (given.limit_bytes != 0) result.limit_bytes = given.limit_bytes;
  if (given.chunk_bytes != 0) result.pool.chunk_bytes = given.chunk_bytes;
  result.pages = pages_of(given.pages, call).value_or(PageKind::automatic);
  result.spill = enum_of<Spill>(given.spill, call, "spill");
  return result;
}

std::size_t alignment_of(std::size_t alignment, const char* call) {
  if (alignment == 0) return alignof(std::max_align_t);
  if (!std::has_single_bit(alignment))
    throw InvalidArgument(base::text(call, ": `alignment` is ", alignment, ", which is no power of two"));
  return alignment;
}

}  // namespace

nw_error nw_pools_make(nw_team team, const nw_pools_options* options, nw_pools* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_pools>(
        std::make_unique<NodePools>(*object(team, call), pools_options_of(options, call)));
  });
}

nw_error nw_pools_local_node(nw_pools pools, std::uint32_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = (*object(pools, call))->local_node(); });
}

nw_error nw_pools_nearest_with_memory(nw_pools pools, std::uint32_t node, std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = (*object(pools, call))->nearest_with_memory(node);
  });
}

nw_error nw_pools_allocate(nw_pools pools, std::uint32_t node, std::size_t bytes, std::size_t alignment,
                           void** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto all = object(pools, call);
    *out = (*all)->on(node).allocate(bytes, alignment_of(alignment, call));
  });
}

nw_error nw_pools_deallocate(nw_pools pools, std::uint32_t node, void* block, std::size_t bytes,
                             std::size_t alignment) {
  return run(__func__, [&](const char* call) {
    const auto all = object(pools, call);
    PoolResource& pool = (*all)->on(node);
    if (block != nullptr) pool.deallocate(block, bytes, alignment_of(alignment, call));
  });
}

nw_error nw_pools_reserve(nw_pools pools, std::uint32_t node, std::size_t bytes) {
  return run(__func__, [&](const char* call) { (*object(pools, call))->on(node).reserve(bytes); });
}

nw_error nw_pools_count(nw_pools pools, std::uint32_t node, nw_pool_counts* out) {
  return run(__func__, [&](const char* call) {
    const auto all = (*object(pools, call))->counts();
    if (node >= all.size())
      throw OutOfRange(base::text(call, ": there is no node ", node, "; there are ", all.size()));
    const NodePoolCounts& counts = all[node];
    nw_pool_counts result{};
    result.chunk_bytes = counts.pool.chunk_bytes;
    result.live_blocks = counts.pool.live_blocks;
    result.live_bytes = counts.pool.live_bytes;
    result.allocations = counts.pool.allocations;
    result.upstream_allocations = counts.pool.upstream_allocations;
    result.mapped_bytes = counts.mapped_bytes;
    result.local_bytes = counts.placement.local_bytes;
    result.spilled_bytes = counts.spilled_bytes;
    result.live_spilled_bytes = counts.live_spilled_bytes;
    write_result(out, result, call);
  });
}

nw_error nw_pools_to_json(nw_pools pools, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of((*object(pools, call))->to_json());
  });
}
