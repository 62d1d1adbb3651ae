// The text of a placement for people.
#include <ostream>

#include <nodewise/placement.hpp>

#include "base/ink.hpp"
#include "base/text.hpp"
#include "placement/strips.hpp"

namespace nodewise {
namespace {

using base::text;

// Interleaved bytes are planned for no node, so none of them is local: a shard only says where they are read.
std::vector<std::string> row_of(const std::string& name, const PlacementBytes& bytes, Policy policy) {
  std::vector<std::string> row = {name, std::to_string(bytes.planned_bytes)};
  if (policy == Policy::blocked)
    row.push_back(std::to_string(bytes.local_bytes));
  else
    row.insert(row.end(), {"-", std::to_string(bytes.on_target_bytes)});
  for (const std::uint64_t count :
       {bytes.misplaced_bytes, bytes.cut_bytes, bytes.absent_bytes, bytes.unknown_bytes})
    row.push_back(std::to_string(count));
  return row;
}

std::string table_of(const Placement& placement, Policy policy) {
  std::vector<std::string> titles = {"bytes on", "planned", "local", "misplaced", "cut", "absent", "unknown"};
  if (policy == Policy::interleaved)
    titles = {"bytes read on", "planned", "local", "on a target", "misplaced", "cut", "absent", "unknown"};
  std::vector<std::vector<std::string>> rows = {titles};
  for (const ShardPlacement& shard : placement.shards())
    rows.push_back(row_of(text("node ", shard.os_index), shard, policy));
  if (rows.size() > 2) rows.push_back(row_of("all", placement.total(), policy));
  return draw_table(rows, 'l' + std::string(titles.size() - 1, 'r'));
}

// The batches of a shard from the first to the last one that has a misplaced byte.
BatchRange misplaced_batches(const Placement& placement, const ShardPlacement& shard) {
  BatchRange range{shard.batches.stop, shard.batches.stop};
  for (const BatchRun& run : placement.batches()) {
    const BatchRange part{std::max(run.batches.start, shard.batches.start),
                          std::min(run.batches.stop, shard.batches.stop)};
    if (run.state != BatchRun::State::misplaced || part.start >= part.stop) continue;
    range = {std::min(range.start, part.start), part.stop};
  }
  return range;
}

}  // namespace

std::string Placement::pages_text() const {
  const std::string pages = page_kind_ == PageKind::transparent
                                ? "transparent huge pages"
                                : text(to_string(page_kind_), " pages of ", base::human_bytes(page_bytes_));
  const std::string_view unit = granularity();
  const std::string asked = asking_rung_ == AskingRung::none
                                ? "not verified: the kernel could not be asked"
                                : text("verified by ", to_string(asking_rung_), ", ", unit, " by ", unit);
  return text(pages, ", placed by ", to_string(placing_rung_), ", ", asked);
}

std::string Placement::cause_text() const {
  for (const Degradation& lost : degradations_)
    if (lost.kind == DegradationKind::node_full) return "their node was full; see below";
  // AutoNUMA does not move bound pages.
  if (placing_rung_ == PlacingRung::mbind)
    return "their node had no page free when they were touched, or they were moved since, by another program "
           "(migratepages, move_pages) or a change of the cpuset";
  return autonuma_ ? "they could not be bound here, see below, and AutoNUMA moves such pages"
                   : "they could not be bound here; see below";
}

std::string Placement::misplaced_text() const {
  std::string lines =
      text(total().misplaced_bytes, " bytes lie on another node than planned: ", cause_text());
  for (const ShardPlacement& shard : shards_) {
    if (shard.misplaced_bytes == 0) continue;
    lines += text("\n         ", batches_text(misplaced_batches(*this, shard)), ", planned for node ",
                  shard.os_index, ":");
    const char* separator = " ";
    for (std::size_t node = 0; node < shard.bytes_on_node.size(); ++node) {
      if (node == shard.node || shard.bytes_on_node[node] == 0) continue;
      lines += text(separator, shard.bytes_on_node[node], " bytes on node ", os_indices_[node]);
      separator = ", ";
    }
  }
  return lines;
}

std::string Placement::interleaved_text(const TextStyle& style) const {
  using base::Ink;
  const PlacementBytes bytes = total();
  std::string line = text(bytes.on_target_bytes, " bytes lie on pages that alternate over the nodes");
  if (bytes.misplaced_bytes > 0)
    line += inked(style, Ink::bad,
                  text("; ", bytes.misplaced_bytes, " bytes lie on nodes that were not asked for"));
  if (bytes.absent_bytes > 0)
    line += inked(style, Ink::bad, text("; ", bytes.absent_bytes, " bytes are not in memory"));
  if (bytes.unknown_bytes > 0)
    line += inked(style, Ink::fair,
                  text("; the kernel does not tell the node of ", bytes.unknown_bytes, " bytes"));
  return line + "; interleaving promises no locality";
}

std::string Placement::verdict_text(const TextStyle& style) const {
  using base::Ink;
  const PlacementBytes bytes = total();
  if (policy_ == Policy::interleaved && placing_rung_ == PlacingRung::none)
    return inked(style, Ink::fair, "the bytes lie where they were touched; they could not be interleaved");
  if (policy_ == Policy::interleaved) return interleaved_text(style);
  if (bytes.misplaced_bytes > 0) return inked(style, Ink::bad, misplaced_text());
  if (bytes.absent_bytes > 0)
    return inked(style, Ink::bad,
                 text(bytes.absent_bytes, " bytes are not in memory: untouched or swapped out"));
  if (bytes.unknown_bytes > 0)
    return inked(style, Ink::fair,
                 text("the kernel does not tell the node of ", bytes.unknown_bytes, " bytes"));
  return inked(style, Ink::good, text("all ", bytes.planned_bytes, " bytes lie where the plan wants them"));
}

std::string Placement::picture(const TextStyle& style) const {
  std::vector<Strip> strips;
  for (const ShardPlacement& shard : shards_)
    strips.push_back({shard.os_index, shard.batches, shard.planned_bytes});
  return text("Pages    ", pages_text(), "\n\n", draw_strips(strips, policy_, batches_, style), '\n',
              table_of(*this, policy_));
}

std::string Placement::verdict(const TextStyle& style) const {
  std::string lines = text("Verdict  ", verdict_text(style), '\n');
  for (const Degradation& lost : degradations_)
    lines += text("Degraded ", to_string(lost.kind), ": ", lost.message, '\n');
  return lines;
}

std::string Placement::summary(const TextStyle& style) const {
  return text(picture(style), '\n', verdict(style));
}

std::ostream& operator<<(std::ostream& out, const Placement& placement) {
  return out << placement.summary();
}

}  // namespace nodewise
