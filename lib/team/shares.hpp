// Which worker does which part of a team's work, and which workers it helps when it has nothing left.
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

/// Each worker's rows: its part of every shard that it reads. Divided by rows, not by batches, so that all
/// of a node's workers have some even where a shard has fewer batches than that. For filling the dataset.
std::vector<std::vector<base::Range>> rows_by_worker(const Plan& plan, const Team& team);

/// The number of pieces into which a worker's part of a shard or run is divided for stealing: at the end
/// workers wait at most for one piece.
inline constexpr std::uint64_t pieces_to_steal = 16;

/// Work that can be counted in units, such as elements or batches: first every worker is given its shares,
/// then all take from them, at once. Without stealing a worker takes each of its shares whole. With it, a
/// share is taken in pieces, and a worker whose own are used up goes on with those of the workers nearest to
/// it. Thread class: take() from any thread, after the last give().
class WorkShares {
 public:
  struct Piece {
    std::size_t group = 0;
    base::Range units;
  };

  explicit WorkShares(const Team& team);

  /// `group`: what the units are counted in, such as a shard or a run; it comes back with each piece.
  /// Precondition: `units` is not empty, piece > 0. Pieces begin at units.begin plus multiples of `piece`.
  void give(unsigned worker, std::size_t group, base::Range units, std::uint64_t piece);
  /// The next piece for `worker`; nullopt when there is none. `may_steal`: every worker has a thread of its
  /// own, so that no worker waits for this one.
  std::optional<Piece> take(unsigned worker, bool may_steal);

 private:
  struct alignas(64) Share {  // a cache line of its own
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
    std::atomic<std::size_t> first{0};  // those before it are used up
  };
  std::vector<Shares> shares_;  // by worker
  std::vector<std::vector<unsigned>>
      nearest_;  // by worker: all others, nearest first; empty without stealing
};

}  // namespace nodewise
