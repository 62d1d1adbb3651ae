// How a team reads a stream: in rounds. A round consists of all runs that are ready at one time, and is
// divided among the workers.
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

/// One pass over a stream, from its present position to its end. Thread class: one thread.
class StreamRounds {
 public:
  /// `call` is the name of the function that reads, for errors.
  StreamRounds(BatchStream& stream, const char* call) : stream_(stream), call_(call) {}

  /// Ends the leases of the last round, then leases all runs that are ready, at most 1024. It waits only for
  /// the first one. Returns no runs at the end. Throws what the stream throws, and InvalidArgument if the
  /// stream gives batches that its dataset does not have, or more batches than the dataset has.
  std::span<const BatchLease> next();

 private:
  void check(const BatchLease& run);

  BatchStream& stream_;
  const char* call_;
  std::uint64_t batches_given_ = 0;
  std::vector<BatchLease> runs_;
};

/// Some units of a run, counted from the beginning of the run, which one worker reads unless others help it.
struct RunPart {
  unsigned worker = 0;
  std::size_t run = 0;  ///< The index of the run in the round.
  base::Range units;
};

/// Divides all units of a round evenly: the units of runs on one node among the workers that read this node,
/// and the units of runs whose node is not known among all workers. `units_of` returns the number of units of
/// a run. Throws OutOfRange if a run lies on a node that the team's machine does not have.
std::vector<RunPart> divide_round(std::span<const BatchLease> runs, const Team& team,
                                  const std::function<std::uint64_t(const BatchLease&)>& units_of);

}  // namespace nodewise
