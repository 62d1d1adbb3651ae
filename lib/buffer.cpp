#include <nodewise/buffer.hpp>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "buffer_placing.hpp"
#include "preflight.hpp"

namespace nodewise {

std::string_view to_string(PlacingRung rung) noexcept {
  switch (rung) {
    case PlacingRung::mbind:
      return "mbind";
    case PlacingRung::first_touch:
      return "first_touch";
    default:
      return "none";
  }
}

std::string_view to_string(AskingRung rung) noexcept {
  switch (rung) {
    case AskingRung::move_pages:
      return "move_pages";
    case AskingRung::numa_maps:
      return "numa_maps";
    default:
      return "none";
  }
}

Buffer::Buffer(Plan plan, Topology topology, Pages pages, std::byte* data)
    : plan_(std::move(plan)), topology_(std::move(topology)), pages_(std::move(pages)), data_(data) {}

Buffer Buffer::allocate(const Plan& plan, const Team& team, PageKind kind) {
  return allocate(plan, team, kind, {});
}

Buffer Buffer::allocate(const Plan& plan, const Team& team, PageKind kind, const Fill& fill) {
  if (plan.base_offset() != 0)
    throw InvalidArgument(base::text("Buffer::allocate: the plan begins ", plan.base_offset(),
                                     " bytes into a page; new memory begins at one (base_offset 0)"));
  if (plan.fingerprint() != team.topology().fingerprint())
    throw PlacementError(base::text("Buffer::allocate: the plan is for machine ", plan.fingerprint(),
                                    ", the team is on ", team.topology().fingerprint()));
  if (kind == PageKind::hugetlb && plan.page_bytes() <= team.topology().page_bytes())
    throw InvalidArgument(
        base::text("Buffer::allocate: hugetlb pages need a plan made for them, and this one "
                   "is for pages of ",
                   plan.page_bytes(), " bytes; or the kernel has none"));
  auto found = preflight(plan, team.topology(), kind);
  if (auto unseen = unseen_nodes(team.topology())) found.push_back(std::move(*unseen));
  Placing placing(plan, team);
  auto mapped = placing.map(kind);
  placing.bind();
  placing.populate(fill);
  placing.seal();
  Buffer buffer(plan, team.topology(), std::move(mapped), placing.data());
  buffer.placing_rung_ = placing.rung();
  buffer.degradations_ = std::move(found);
  for (Degradation& degradation : placing.take_degradations())
    buffer.degradations_.push_back(std::move(degradation));
  return buffer;
}

Buffer Buffer::adopt(const Plan& plan, const Topology& topology, Pages pages) {
  if (plan.fingerprint() != topology.fingerprint())
    throw PlacementError(base::text("Buffer::adopt: the plan is for machine ", plan.fingerprint(),
                                    ", and this is ", topology.fingerprint()));
  const auto address = reinterpret_cast<std::uintptr_t>(pages.data());
  if (plan.total_bytes() > 0 && address % plan.page_bytes() != plan.base_offset())
    throw InvalidArgument(base::text("Buffer::adopt: the memory begins ", address % plan.page_bytes(),
                                     " bytes into a page, the plan ", plan.base_offset()));
  if (pages.size_bytes() < plan.total_bytes())
    throw InvalidArgument(base::text("Buffer::adopt: the plan needs ", plan.total_bytes(),
                                     " bytes, the memory has ", pages.size_bytes()));
  std::byte* data = pages.data();
  Buffer buffer(plan, topology, std::move(pages), data);
  buffer.degradations_.push_back({"adopted", "the memory existed already and is left where it is", 0});
  return buffer;
}

}  // namespace nodewise
