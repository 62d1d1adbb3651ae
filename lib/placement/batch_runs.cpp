#include "placement/batch_runs.hpp"

#include <nodewise/expects.hpp>

namespace nodewise {
namespace {

int badness(BatchRun::State state) noexcept {
  switch (state) {
    case BatchRun::State::misplaced:
      return 4;
    case BatchRun::State::absent:
      return 3;
    case BatchRun::State::unknown:
      return 2;
    case BatchRun::State::cut:
      return 1;
    case BatchRun::State::local:
    case BatchRun::State::on_target:
      break;
  }
  return 0;
}

}  // namespace

BatchRun::State worse(BatchRun::State a, BatchRun::State b) noexcept {
  return badness(a) >= badness(b) ? a : b;
}

void BatchRuns::append(BatchRange batches, BatchRun::State state) {
  if (batches.count() == 0) return;
  if (!runs_.empty() && runs_.back().state == state)
    runs_.back().batches.stop = batches.stop;
  else
    runs_.push_back({batches, state});
}

void BatchRuns::add(ByteRange bytes, BatchRun::State state) {
  NODEWISE_EXPECTS(bytes.begin < bytes.end && bytes.begin == told_end_);
  told_end_ = bytes.end;
  const std::uint64_t first = bytes.begin / batch_bytes_;
  const std::uint64_t last = (bytes.end - 1) / batch_bytes_;
  if (open_ && *open_ != first) append({*open_, *open_ + 1}, open_state_);
  open_state_ = open_ == first ? worse(state, open_state_) : state;
  open_ = last;
  if (first == last) return;
  append({first, first + 1}, open_state_);
  append({first + 1, last}, state);
  open_state_ = state;
}

std::vector<BatchRun> BatchRuns::take() {
  if (open_) append({*open_, *open_ + 1}, open_state_);
  open_.reset();
  return std::move(runs_);
}

}  // namespace nodewise
