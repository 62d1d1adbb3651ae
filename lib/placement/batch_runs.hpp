// Converts states of byte ranges, which are given in order, into runs of batches with the same state.
#pragma once

#include <optional>
#include <vector>

#include <nodewise/placement.hpp>

namespace nodewise {

/// The worse one; from worst to best: misplaced, absent, unknown, cut, local.
BatchRun::State worse(BatchRun::State a, BatchRun::State b) noexcept;

class BatchRuns {
 public:
  explicit BatchRuns(const Plan& plan)
      : batch_bytes_(plan.num_batches() > 0 ? plan.dataset().most_batch_bytes() : 1) {}

  /// Precondition: `bytes` begins where the last call ended, and is not empty.
  void add(ByteRange bytes, BatchRun::State state);
  std::vector<BatchRun> take();

 private:
  void append(BatchRange batches, BatchRun::State state);

  std::uint64_t batch_bytes_;
  std::uint64_t told_end_ = 0;  // where the bytes of the last call ended
  // A batch whose state is not final, because further ranges may belong to it.
  std::optional<std::uint64_t> open_;
  BatchRun::State open_state_ = BatchRun::State::local;
  std::vector<BatchRun> runs_;
};

}  // namespace nodewise
