// Which shard gets which page, and how cuts could be avoided.
#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include <nodewise/expects.hpp>

#include "base/checked.hpp"
#include "plan/parts.hpp"

namespace nodewise {
namespace {

// Only for an assertion.
[[maybe_unused]] bool are_consecutive(const std::vector<Shard>& shards) {
  std::uint64_t end = 0;
  for (const Shard& shard : shards)
    if (shard.bytes.begin != std::exchange(end, shard.bytes.end) || shard.bytes.end < shard.bytes.begin)
      return false;
  return true;
}

/// Gives the pages to the shards, from the first shard on. Positions are counted from the start of the first
/// page. A page is cut only if a border between two shards lies inside it. Its "meeting" is the group of
/// shards from the first one that ends inside the page to the first one that continues behind it (or to the
/// last shard of all). Each shard is in at most two meetings that are examined, one where it begins and one
/// where it ends. So this takes O(shards).
class Dealer {
 public:
  Dealer(std::vector<Shard>& shards, std::size_t page_bytes, std::size_t base_offset) noexcept
      : shards_(shards), page_bytes_(page_bytes), base_offset_(base_offset) {}

  std::vector<Cut> deal() {
    for (std::size_t shard = 0; shard < shards_.size();) {
      const std::uint64_t page = base::round_down(end_of(shard), page_bytes_);
      if (page == end_of(shard))
        give(shard++, page);
      else
        shard = deal_meeting(shard, page);
    }
    return std::move(cuts_);
  }

 private:
  std::uint64_t end_of(std::size_t shard) const noexcept { return shards_[shard].bytes.end + base_offset_; }

  /// Gives `shard` the pages up to `end` that no earlier shard got.
  void give(std::size_t shard, std::uint64_t end) noexcept {
    shards_[shard].pages = {dealt_, end};
    dealt_ = end;
  }

  std::uint64_t bytes_on(std::size_t shard, std::uint64_t page) const noexcept {
    const ByteRange& bytes = shards_[shard].bytes;
    const std::uint64_t begin = std::max(bytes.begin + base_offset_, page);
    const std::uint64_t end = std::min(bytes.end + base_offset_, page + page_bytes_);
    return end > begin ? end - begin : 0;
  }

  /// Precondition: `first` is the first shard that ends inside `page`. Returns the first shard that does not.
  std::size_t deal_meeting(std::size_t first, std::uint64_t page) {
    NODEWISE_EXPECTS(first < shards_.size() && end_of(first) < page + page_bytes_);
    std::size_t after = first;
    while (after < shards_.size() && end_of(after) < page + page_bytes_) ++after;
    const std::size_t last = std::min(after, shards_.size() - 1);
    std::size_t owner = first;
    for (std::size_t shard = first; shard <= last; ++shard)
      if (bytes_on(shard, page) > bytes_on(owner, page)) owner = shard;
    cut(first, last, page, owner);
    for (std::size_t shard = first; shard < after; ++shard)
      give(shard, shard < owner ? page : page + page_bytes_);
    return after;
  }

  void cut(std::size_t first, std::size_t last, std::uint64_t page, std::size_t owner) {
    std::uint64_t cut_bytes = 0;
    for (std::size_t shard = first; shard <= last; ++shard) {
      if (shard == owner) continue;
      shards_[shard].cut_bytes += bytes_on(shard, page);
      cut_bytes += bytes_on(shard, page);
    }
    if (cut_bytes > 0) cuts_.push_back({page, static_cast<std::uint32_t>(owner), cut_bytes});
  }

  std::vector<Shard>& shards_;
  std::uint64_t page_bytes_;
  std::uint64_t base_offset_;
  std::uint64_t dealt_ = 0;
  std::vector<Cut> cuts_;
};

/// The largest page size of the topology with which all shards meet at page borders. It is smaller than the
/// plan's page size, because with that one, and with all larger ones, a page is cut.
std::optional<std::size_t> uncut_page(const Plan& plan, const Topology& topology) {
  // The borders between shards, combined by OR. A page size cuts nothing if it divides each of them, so all
  // bits below it must be 0.
  std::uint64_t borders = 0;
  for (const Shard& shard : plan.shards())
    if (shard.bytes.end < plan.dataset().total_bytes() && shard.bytes.end > 0)
      borders |= shard.bytes.end + plan.base_offset();
  std::optional<std::size_t> best;
  const auto consider = [&](std::size_t page) {
    if (!std::has_single_bit(page) || (borders & (page - 1)) != 0) return;
    if (!best || page > *best) best = page;
  };
  consider(topology.page_bytes());
  for (const Node& node : topology.nodes())
    for (const PagePool& pool : node.pools) consider(pool.page_bytes);
  return best;
}

}  // namespace

std::vector<Cut> deal_pages(std::vector<Shard>& shards, std::size_t page_bytes, std::size_t base_offset) {
  NODEWISE_EXPECTS(are_consecutive(shards));
  if (shards.empty() || shards.back().bytes.end == 0) return {};  // no page holds data
  return Dealer(shards, page_bytes, base_offset).deal();
}

std::optional<CutRemedy> cut_remedy_of(const Plan& plan, const Topology& topology) {
  if (plan.cuts().empty()) return std::nullopt;
  CutRemedy remedy;
  remedy.page_bytes = uncut_page(plan, topology);
  if (plan.base_offset() == 0) {
    // Batches fill whole pages if their number of rows is a multiple of `step`. The batches of this plan do
    // not, because it has cuts.
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): neither is ever 0
    const std::uint64_t step = plan.page_bytes() / std::gcd(plan.dataset().row_bytes(), plan.page_bytes());
    const std::uint64_t smaller = plan.dataset().batch_size() / step * step;
    if (smaller > 0) remedy.smaller_batch_size = smaller;
    const auto larger = base::checked_add(smaller, step);
    if (larger && *larger < plan.dataset().shape().samples) remedy.larger_batch_size = *larger;
  }
  if (remedy == CutRemedy{}) return std::nullopt;
  return remedy;
}

}  // namespace nodewise
