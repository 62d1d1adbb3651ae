// Requirements on a placement.
#include <nodewise/error.hpp>
#include <nodewise/placement.hpp>

#include "base/text.hpp"

namespace nodewise {
namespace {

// The shards that do not lie as planned, for a message; only the first ones if there are many.
std::string wrong_shards(const std::vector<ShardPlacement>& shards) {
  constexpr int most_named = 8;
  std::string text;
  int named = 0;
  for (const ShardPlacement& shard : shards) {
    if (shard.misplaced_bytes + shard.absent_bytes + shard.unknown_bytes == 0) continue;
    if (++named > most_named) continue;
    text += base::text("; shard ", shard.shard, " (node ", shard.os_index, ", batches ", shard.batches.start,
                       " to ", shard.batches.stop - 1, "): ", shard.misplaced_bytes, " bytes misplaced");
    if (shard.absent_bytes > 0) text += base::text(", ", shard.absent_bytes, " absent");
    if (shard.unknown_bytes > 0) text += base::text(", ", shard.unknown_bytes, " unknown");
  }
  if (named > most_named) text += base::text("; and ", named - most_named, " more shards");
  return text;
}

std::string messages_of(const std::vector<Degradation>& degradations) {
  std::string messages;
  for (const Degradation& lost : degradations) messages += "; " + lost.message;
  return messages;
}

}  // namespace

void Placement::require(double wanted_fraction) const {
  if (policy_ == Policy::interleaved)
    throw PlacementError("Placement::require: interleaved memory has no local part; use the blocked policy");
  const auto fraction = local_fraction();
  if (!fraction)
    throw PlacementError("Placement::require: the kernel could not be asked where the pages are" +
                         messages_of(degradations_));
  if (*fraction >= wanted_fraction) return;
  const PlacementBytes bytes = total();
  throw PlacementError(base::text("Placement::require: ", bytes.local_bytes, " of ", bytes.planned_bytes,
                                  " bytes are local (", *fraction, "), ", wanted_fraction, " is required; ",
                                  bytes.cut_bytes, " bytes are cut", wrong_shards(shards_)));
}

void Placement::require_planned() const {
  const PlacementBytes bytes = total();
  if (bytes.misplaced_bytes + bytes.absent_bytes + bytes.unknown_bytes == 0) return;
  throw PlacementError(base::text(
      "Placement: ", bytes.misplaced_bytes, " bytes lie on another node than planned, ", bytes.absent_bytes,
      " are absent, and the kernel does not tell the node of ", bytes.unknown_bytes, wrong_shards(shards_),
      bytes.unknown_bytes > 0 ? messages_of(degradations_) : std::string()));
}

}  // namespace nodewise
