#include "team/shares.hpp"

#include <algorithm>
#include <tuple>

#include <nodewise/expects.hpp>

namespace nodewise {
namespace {

// Nearest first. Of equally near workers, each worker begins with another one, so that workers do not all
// steal from the same one.
std::vector<unsigned> others_by_distance(const Team& team, const Worker& worker) {
  const auto count = static_cast<unsigned>(team.workers().size());
  std::vector<unsigned> others;
  for (unsigned i = 1; i < count; ++i) others.push_back((worker.worker + i) % count);
  const auto distance = [&](unsigned other) {
    const unsigned node = team.workers()[other].node;
    return std::tuple(node != worker.node, team.topology().distance(worker.node, node));
  };
  std::stable_sort(others.begin(), others.end(),
                   [&](unsigned a, unsigned b) { return distance(a) < distance(b); });
  return others;
}

}  // namespace

std::vector<std::vector<base::Range>> rows_by_worker(const Plan& plan, const Team& team) {
  std::vector<std::vector<base::Range>> rows(team.workers().size());
  for (std::size_t shard = 0; shard < plan.shards().size(); ++shard) {
    const ByteRange bytes = plan.shards()[shard].bytes;
    const std::uint64_t first = bytes.begin / plan.dataset().row_bytes();
    const auto readers = team.readers(plan, shard);
    for (std::size_t part = 0; part < readers.size(); ++part) {
      const auto range = base::split(bytes.bytes() / plan.dataset().row_bytes(), readers.size(), part);
      if (range.size() > 0) rows[readers[part]].push_back({first + range.begin, first + range.end});
    }
  }
  return rows;
}

WorkShares::WorkShares(const Team& team)
    : stealing_(team.scheduling() == Scheduling::stealing), shares_(team.workers().size()) {
  if (!stealing_) return;
  for (const Worker& worker : team.workers()) nearest_.push_back(others_by_distance(team, worker));
}

void WorkShares::give(unsigned worker, std::size_t group, base::Range units, std::uint64_t piece) {
  NODEWISE_EXPECTS(units.begin < units.end && piece > 0);
  shares_[worker].all.emplace_back(group, units, stealing_ ? piece : units.size());
}

std::optional<WorkShares::Piece> WorkShares::take(unsigned worker, bool may_steal) {
  auto piece = take_from(worker);
  if (piece || !stealing_ || !may_steal) return piece;
  for (const unsigned other : nearest_[worker])
    if ((piece = take_from(other))) break;
  return piece;
}

std::optional<WorkShares::Piece> WorkShares::take_from(unsigned worker) {
  auto& [shares, first] = shares_[worker];
  for (std::size_t i = first.load(std::memory_order_relaxed); i < shares.size(); ++i) {
    Share& share = shares[i];
    if (share.next.load(std::memory_order_relaxed) >= share.units.end) continue;
    const std::uint64_t begin = share.next.fetch_add(share.piece, std::memory_order_relaxed);
    if (begin >= share.units.end) continue;
    first.store(i, std::memory_order_relaxed);
    return Piece{share.group, {begin, std::min(begin + share.piece, share.units.end)}};
  }
  first.store(shares.size(), std::memory_order_relaxed);
  return std::nullopt;
}

}  // namespace nodewise
