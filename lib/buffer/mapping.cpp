#include "buffer/mapping.hpp"

#include <algorithm>
#include <utility>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "buffer/preflight.hpp"
#include "os/os.hpp"
#include "pages/huge_pages.hpp"
#include "pages/residency.hpp"

namespace nodewise {
namespace {

// Without huge pages in the kernel, their usual size is used: it only keeps workers apart.
std::size_t huge_page_bytes_here() {
  constexpr std::size_t usual = std::size_t{2} << 20;
  const std::size_t bytes = transparent_pages().page_bytes;
  return bytes != 0 ? bytes : usual;
}

MappedMemory sized(const Plan& plan, Pages pages, std::byte* data, std::size_t huge_page_bytes) {
  const bool transparent = pages.kind() == PageKind::transparent;
  const std::size_t slice = transparent ? std::max(huge_page_bytes, plan.page_bytes()) : plan.page_bytes();
  return {std::move(pages), data, slice, std::max(slice, huge_page_bytes)};
}

MappedMemory map_pool(const Plan& plan, std::vector<Degradation>& degradations) {
  Pages pages = Pages::map(plan.mapped_bytes(), PageKind::hugetlb, plan.page_bytes());
  std::byte* const data = pages.data();
  // Mappings of the pool never merge with others, so they need no border.
  if (needs_separate_shards(plan)) separate_shards(plan, data, 0, degradations);
  return sized(plan, std::move(pages), data, huge_page_bytes_here());
}

MappedMemory map_ordinary(const Plan& plan, PageKind kind, std::vector<Degradation>& degradations) {
  const std::uint64_t bytes = plan.mapped_bytes();
  const std::size_t huge_page_bytes = huge_page_bytes_here();
  const bool separate = needs_separate_shards(plan);
  const std::size_t border = separate ? huge_page_bytes : 0;  // on both sides
  // The borders do not count.
  if (kind == PageKind::automatic && bytes < huge_page_bytes) kind = PageKind::base;
  const auto mapped_bytes = base::checked_add(bytes, 2 * border);
  if (!mapped_bytes)
    throw InvalidArgument(base::text("Buffer::allocate: ", bytes, " bytes exceed the address space"));
  Pages pages = Pages::map(*mapped_bytes, kind);
  if (!pages.shortfall().empty()) {
    if (plan.binding() == Binding::required) throw PlacementError(std::string(pages.shortfall()));
    degradations.push_back({DegradationKind::huge_pages_off, std::string(pages.shortfall()), 0});
  }
  std::byte* const data = pages.data() + border;
  if (separate) separate_shards(plan, data, border, degradations);
  return sized(plan, std::move(pages), data, huge_page_bytes);
}

}  // namespace

MappedMemory map_memory(const Plan& plan, const Topology& topology, PageKind kind,
                        std::vector<Degradation>& degradations) {
  if (plan.mapped_bytes() == 0) return {.pages = Pages::map(0, PageKind::base)};
  if (kind != PageKind::hugetlb) return map_ordinary(plan, kind, degradations);
  try {
    return map_pool(plan, degradations);
  } catch (const SystemError& error) {
    if (plan.binding() == Binding::required) throw PlacementError(error.what());
    degradations.push_back({DegradationKind::huge_pages_short, without_call(error), error.code()});
  }
  return map_without_pool(plan, topology, degradations);
}

MappedMemory map_without_pool(const Plan& plan, const Topology& topology,
                              std::vector<Degradation>& degradations) {
  // This is other memory than that of the pool, so there must be room in it too.
  for (Degradation& found : preflight(plan, topology, PageKind::automatic))
    degradations.push_back(std::move(found));
  return map_ordinary(plan, PageKind::automatic, degradations);
}

std::string without_call(const SystemError& error) {
  const std::string message = error.what();
  return message.substr(message.find(": ") + 2);
}

MappedMemory use_memory(const Plan& plan, Pages pages, std::vector<Degradation>& degradations) {
  std::byte* const data = pages.data();
  // The mapping of a file never merges with others, so it needs no border.
  if (data != nullptr && needs_separate_shards(plan)) separate_shards(plan, data, 0, degradations);
  return sized(plan, std::move(pages), data, huge_page_bytes_here());
}

bool needs_separate_shards(const Plan& plan) {
  return plan.policy() == Policy::blocked && !can_ask_pages();
}

// The kernel merges neighbouring mappings that are equal. Excluding every second shard from core dumps makes
// neighbours differ, and costs nothing else. The borders continue this alternation.
int separate_shards(const Plan& plan, std::byte* data, std::size_t border) {
  bool flagged = true;
  int refused = 0;
  const auto flag = [&](std::byte* at, std::size_t bytes) {
    if (const int error = os::current().advise(at, bytes, os::Advice::no_dump)) refused = error;
  };
  for (const Shard& shard : plan.shards()) {
    if (shard.pages.bytes() == 0) continue;
    if (flagged) flag(data + shard.pages.begin, shard.pages.bytes());
    flagged = !flagged;
  }
  if (flagged && border > 0) flag(data + plan.mapped_bytes(), border);
  return refused;
}

void separate_shards(const Plan& plan, std::byte* data, std::size_t border,
                     std::vector<Degradation>& degradations) {
  const int refused = separate_shards(plan, data, border);
  if (refused == 0) return;
  degradations.push_back(
      {DegradationKind::shards_not_apart,
       base::text("madvise: ", base::errno_text(refused),
                  "; the kernel may sum up the pages of several shards, which then cannot be told apart"),
       refused});
}

}  // namespace nodewise
