#include "buffer/binding.hpp"

#include <cerrno>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "buffer/free_memory.hpp"
#include "buffer/mapping.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

int bind_shard(const Plan& plan, std::byte* data, std::size_t shard, os::BindMode mode) {
  const Shard& bound = plan.shards()[shard];
  if (bound.pages.bytes() == 0) return 0;
  return os::current().bind(data + bound.pages.begin, bound.pages.bytes(), mode, bound.os_index);
}

Degradation refusal(int error, const std::string& consequence) {
  return {DegradationKind::mbind_refused, base::text("mbind: ", base::errno_text(error), "; ", consequence),
          error};
}

PlacingRung bind_shards(const Plan& plan, std::byte* data, std::vector<Degradation>& degradations) {
  const std::size_t count = plan.shards().size();
  std::size_t refused = 0;
  for (std::size_t shard = 0; shard < count; ++shard) {
    const int error = bind_shard(plan, data, shard, os::BindMode::preferred);
    if (error == 0) continue;
    // Only this node is refused: it is outside of the cpuset, or has no memory.
    if (error == EINVAL && ++refused < count) {
      degradations.push_back(
          refusal(error, base::text("the pages of node ", plan.shards()[shard].os_index,
                                    " are placed by first touch, on whichever node that happens")));
      continue;
    }
    // Where policies differ, the kernel splits huge pages at the borders of shards. Without policies,
    // something else must split them.
    separate_shards(plan, data, 0, degradations);
    degradations.push_back(refusal(error, "pages are placed by first touch from workers on their nodes"));
    return PlacingRung::first_touch;
  }
  return PlacingRung::mbind;
}

PlacingRung bind_interleaved(const Plan& plan, std::byte* data, std::vector<Degradation>& degradations) {
  IndexSet nodes;
  for (const Shard& shard : plan.shards()) nodes.insert(shard.os_index);
  const int error = os::current().interleave(data, plan.mapped_bytes(), nodes);
  if (error == 0) return PlacingRung::mbind;
  if (plan.binding() == Binding::required)
    throw PlacementError(
        base::text("Buffer::allocate: the binding is required, and the kernel refuses to interleave: mbind: ",
                   base::errno_text(error)));
  degradations.push_back(refusal(error, "pages lie where they are touched, not interleaved"));
  return PlacingRung::none;
}

}  // namespace

PlacingRung bind_memory(const Plan& plan, std::byte* data, std::vector<Degradation>& degradations) {
  return plan.policy() == Policy::interleaved ? bind_interleaved(plan, data, degradations)
                                              : bind_shards(plan, data, degradations);
}

std::vector<std::size_t> tight_shards(const Plan& plan, const Topology& topology) {
  std::vector<std::size_t> tight;
  if (plan.page_bytes() > topology.page_bytes()) return tight;  // a pool has no page cache
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const auto free = unused_bytes_now(topology.node(plan.shards()[shard].node));
    if (!free || plan.shards()[shard].pages.bytes() > *free) tight.push_back(shard);
  }
  return tight;
}

void seal_binding(const Plan& plan, std::byte* data, const std::vector<std::size_t>& tight,
                  std::vector<Degradation>& degradations) {
  const bool required = plan.binding() == Binding::required;
  for (const std::size_t shard : tight) {
    // If this fails, the verification finds what it could not move.
    bind_shard(plan, data, shard, os::BindMode::strict_moving);
    if (!required) bind_shard(plan, data, shard, os::BindMode::preferred);
  }
  if (!required) return;
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard)
    if (const int error = bind_shard(plan, data, shard, os::BindMode::strict))
      return degradations.push_back(refusal(error, "the policy could not be made strict"));
}

}  // namespace nodewise
