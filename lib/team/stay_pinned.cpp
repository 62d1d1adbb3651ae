// Threads that stay pinned from one call of a team to the next.
#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>
#include <nodewise/stay_pinned.hpp>

#include "team/openmp/openmp.hpp"
#include "team/pinning.hpp"
#include "team/run.hpp"

namespace nodewise {

StayPinned::StayPinned(const Team& team) : threads_(std::make_unique<StayingThreads>()) {
  const unsigned threads = thread_count(team);
  const StayingThreads* const callers = current_stay().threads;
  const auto mask = os::current().affinity();
  // A thread that runs several workers cannot stay on the CPU of one of them. A mask that cannot be read
  // cannot be restored.
  if (os::in_forked_child() || threads < team.workers().size() || !mask.ok()) return;
  threads_->caller_mask = callers != nullptr ? callers->caller_mask : SavedMask{mask.value};
  for (const Worker& worker : team.workers()) threads_->cpus.push_back(worker.cpu);
  threads_->before.resize(threads);
  form_region(threads, [&](unsigned thread, unsigned all) noexcept {
    if (all != threads) return;
    try {
      Pin pin(callers, thread == 0 ? &mask : nullptr);
      if (pin.to(threads_->cpus[thread]) == 0) pin.leave(*threads_, thread);
    } catch (...) {  // there is no memory for its mask: each call pins this thread, as without StayPinned
    }
  });
  // Pinning this thread has shown whether its mask limits it.
  if (callers == nullptr && current_stay().threads == threads_.get())
    threads_->caller_mask = threads_->before.front().mask;
}

namespace {

// Restores what the calling thread had before it became one of `threads`. If it is not one of them, but
// inherited the mask of one, it gets the mask that they had before.
void give_back(const StayingThreads& threads) noexcept {
  Stay& stay = current_stay();
  if (stay.number == threads.number) {
    const StayingThreads::Before& before = threads.before[stay.thread];
    restore_mask(before.mask);
    stay = before.stay;
    return;
  }
  try {
    const auto mask = os::current().affinity();
    if (mask.ok() && began_with_lent_mask(&threads, mask.value)) restore_mask(threads.caller_mask);
  } catch (...) {  // no memory for a mask
  }
}

}  // namespace

StayPinned::~StayPinned() {
  NODEWISE_EXPECTS(threads_->made_by == std::this_thread::get_id());
  if (threads_->count == 0) return;
  if (os::in_forked_child()) {  // the other threads did not survive the fork
    give_back(*threads_);
  } else {
    try {
      form_region(static_cast<unsigned>(threads_->before.size()),
                  [this](unsigned, unsigned) { give_back(*threads_); });
    } catch (const ThreadError&) {  // The threads that stayed have ended, and may not be started anew.
      give_back(*threads_);
    }
  }
}

unsigned StayPinned::threads() const noexcept {
  return threads_->count;
}

}  // namespace nodewise
