// How a team reads a stream: in rounds, each of the runs that there are at once, divided among the workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <nodewise/stream.hpp>
#include <nodewise/team.hpp>

#include "base/checked.hpp"

namespace nodewise {

/// One pass over a stream, from where it stands to its end. Thread class: one thread.
class StreamRounds {
 public:
  /// `call`: the name of the function that reads, for errors.
  StreamRounds(BatchStream& stream, const char* call) : stream_(stream), call_(call) {}

  /// Ends the leases of the last round, then leases as many runs as are ready, at most 1024. Waits for the
  /// first one only. Gives none at the end. Throws what the stream throws, and InvalidArgument where it gives
  /// batches that its dataset does not have, or more of them than it has.
  std::span<const BatchLease> next();

 private:
  void check(const BatchLease& run);

  BatchStream& stream_;
  const char* call_;
  std::uint64_t batches_given_ = 0;
  std::vector<BatchLease> runs_;
};

/// Units of a run, counted from its beginning, that one worker reads unless others help it.
struct RunPart {
  unsigned worker = 0;
  std::size_t run = 0;  ///< Index into the round.
  base::Range units;
};

/// Divides all units of a round evenly: the units of the runs on one node among the workers that read that
/// node, the units of runs whose node is not known among all workers. `units_of`: how many units a run has.
/// Throws OutOfRange where a run lies on a node that the team's machine does not have.
std::vector<RunPart> divide_round(std::span<const BatchLease> runs, const Team& team,
                                  const std::function<std::uint64_t(const BatchLease&)>& units_of);

}  // namespace nodewise
