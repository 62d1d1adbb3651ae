#include "team/pinning.hpp"

#include <utility>

namespace nodewise {
namespace {

thread_local Stay stay;

}  // namespace

Stay& current_stay() noexcept {
  return stay;
}

bool began_with_lent_mask(const StayingThreads* callers, const IndexSet& mask) {
  return callers != nullptr && stay.threads == nullptr && mask == IndexSet{callers->cpus.front()};
}

os::Result<IndexSet> caller_mask() {
  if (stay.threads != nullptr) return {stay.threads->caller_mask, 0};
  return os::current().affinity();
}

void restore_mask(const IndexSet& mask) noexcept {
  os::current().set_affinity(mask);
}

Pin::~Pin() {
  if (moved_) restore_mask(mask_.value);
}

int Pin::to(unsigned cpu) {
  if (!moved_) {
    if (stay.threads != nullptr && stay.cpu == cpu) return 0;
    mask_ = before_ != nullptr ? *before_ : os::current().affinity();
    if (!mask_.ok()) return mask_.error;
    if (began_with_lent_mask(callers_, mask_.value)) mask_.value = callers_->caller_mask;
  }
  const int error = os::current().set_affinity({cpu});
  moved_ = moved_ || error == 0;
  return error;
}

void Pin::leave(StayingThreads& threads, std::size_t thread) noexcept {
  if (!moved_) return;
  moved_ = false;
  threads.before[thread] = {std::move(mask_.value), stay};
  stay = {&threads, threads.number, thread, threads.cpus[thread]};
  ++threads.count;
}

}  // namespace nodewise
