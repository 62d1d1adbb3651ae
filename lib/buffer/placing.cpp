#include "buffer/placing.hpp"

#include <utility>

#include "buffer/binding.hpp"
#include "buffer/mapping.hpp"
#include "buffer/populating.hpp"
#include "buffer/preflight.hpp"

namespace nodewise {
namespace {

std::vector<Degradation> look_ahead(const Plan& plan, const Topology& topology, PageKind kind,
                                    std::vector<Degradation> found = {}) {
  for (Degradation& one : preflight(plan, topology, kind)) found.push_back(std::move(one));
  if (auto unseen = unseen_nodes(topology)) found.push_back(std::move(*unseen));
  if (auto afar = no_local_memory(topology)) found.push_back(std::move(*afar));
  return found;
}

PlacedMemory place_mapped(const Plan& plan, const Team& team, MappedMemory memory, const Buffer::Fill& fill,
                          std::vector<Degradation> degradations) {
  PlacingRung rung = PlacingRung::none;
  if (memory.data != nullptr) {
    const bool blocked = plan.policy() == Policy::blocked;
    rung = bind_memory(plan, memory.data, degradations);
    if (auto overridden = overridden_policy(plan, rung)) degradations.push_back(std::move(*overridden));
    std::vector<std::size_t> tight;
    if (blocked && rung == PlacingRung::mbind) tight = tight_shards(plan, team.topology());
    rung = populate(plan, team, memory, rung, fill, degradations);
    if (blocked && rung == PlacingRung::mbind) seal_binding(plan, memory.data, tight, degradations);
  }
  return {std::move(memory.pages), memory.data, rung, std::move(degradations)};
}

}  // namespace

PlacedMemory place(const Plan& plan, const Team& team, PageKind kind, const Buffer::Fill& fill) {
  std::vector<Degradation> degradations;
  if (kind == PageKind::hugetlb)
    if (auto limited = huge_pages_limited(plan)) {
      degradations.push_back(std::move(*limited));
      kind = PageKind::automatic;
    }
  degradations = look_ahead(plan, team.topology(), kind, std::move(degradations));
  auto memory = map_memory(plan, team.topology(), kind, degradations);
  const bool of_pool = memory.pages.kind() == PageKind::hugetlb;
  if (!of_pool || plan.binding() == Binding::required)
    return place_mapped(plan, team, std::move(memory), fill, std::move(degradations));
  try {
    return place_mapped(plan, team, std::move(memory), fill, degradations);
  } catch (const Unpopulated& error) {
    // Others took the pages, or the control group's share of them, since they were mapped.
    degradations.push_back({DegradationKind::huge_pages_short, without_call(error), error.code()});
  }
  memory = map_without_pool(plan, team.topology(), degradations);
  return place_mapped(plan, team, std::move(memory), fill, std::move(degradations));
}

PlacedMemory place(const Plan& plan, const Team& team, Pages pages, const Buffer::Fill& fill) {
  auto degradations = look_ahead(plan, team.topology(), pages.kind());
  auto memory = use_memory(plan, std::move(pages), degradations);
  return place_mapped(plan, team, std::move(memory), fill, std::move(degradations));
}

}  // namespace nodewise
