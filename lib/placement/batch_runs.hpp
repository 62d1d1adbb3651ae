// From what is said of byte ranges, in order, to what is said of batches, run-length coded.
#pragma once

#include <optional>
#include <vector>

#include <nodewise/placement.hpp>

namespace nodewise {

/// Misplaced before absent before unknown before cut before local.
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
  std::uint64_t told_end_ = 0;         // where the bytes of the last call ended
  std::optional<std::uint64_t> open_;  // a batch of which more may be said
  BatchRun::State open_state_ = BatchRun::State::local;
  std::vector<BatchRun> runs_;
};

}  // namespace nodewise
