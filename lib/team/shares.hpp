// Which worker does which part of a team's work, and which workers it helps when it has finished.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <nodewise/team.hpp>

#include "base/checked.hpp"

namespace nodewise {

/// The rows of each worker, for filling a dataset: a part of each shard that it reads. Shards are divided by
/// rows and not by batches, so that all workers of a node have rows even if a shard has fewer batches than
/// workers.
std::vector<std::vector<base::Range>> rows_by_worker(const Plan& plan, const Team& team);

/// For stealing, a worker's part of a shard or run is divided into this many pieces, so that at the end no
/// worker waits for more than one piece.
inline constexpr std::uint64_t pieces_to_steal = 16;

/// Work that is counted in units, such as elements or batches. First each worker is given its shares; then
/// all workers take from them at the same time. Without stealing, a worker takes each of its shares as a
/// whole. With stealing, shares are taken in pieces, and a worker that has used up its own shares takes
/// pieces from the workers nearest to it. Thread class: take() may be called from any thread after the last
/// give().
class WorkShares {
 public:
  struct Piece {
    std::size_t group = 0;
    base::Range units;
  };

  explicit WorkShares(const Team& team);

  /// `group` says what the units belong to, such as a shard or a run, and is returned with each piece.
  /// Preconditions: `units` is not empty, piece > 0. Pieces begin at units.begin plus multiples of `piece`.
  void give(unsigned worker, std::size_t group, base::Range units, std::uint64_t piece);
  /// The next piece for `worker`; nullopt if there is none. `may_steal`: every worker has a thread of its
  /// own, so no other worker waits for this one.
  std::optional<Piece> take(unsigned worker, bool may_steal);

 private:
  struct alignas(64) Share {  // it has a cache line of its own
    Share(std::size_t in_group, base::Range all, std::uint64_t at_once)
        : group(in_group), units(all), piece(at_once), next(all.begin) {}
    std::size_t group;
    base::Range units;
    std::uint64_t piece;
    std::atomic<std::uint64_t> next;
  };

  std::optional<Piece> take_from(unsigned worker);

  bool stealing_;
  struct alignas(64) Shares {
    std::deque<Share> all;
    std::atomic<std::size_t> first{0};  // the shares before it are used up
  };
  std::vector<Shares> shares_;  // by worker
  // By worker: all others, nearest first; empty without stealing.
  std::vector<std::vector<unsigned>> nearest_;
};

}  // namespace nodewise
