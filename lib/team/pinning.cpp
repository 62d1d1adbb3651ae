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
  if (stay.threads != nullptr) return {stay.threads->caller_mask.cpus, 0};
  return os::current().affinity();
}

os::Result<SavedMask> lift_mask(const os::Result<IndexSet>* known) {
  os::Os& os = os::current();
  auto mask = known != nullptr ? *known : os.affinity();
  if (!mask.ok()) return {{}, mask.error};
  const bool lifted = os.unlimit_affinity() == 0;
  const bool unlimited = lifted && os.affinity().value == mask.value;
  return {{std::move(mask.value), unlimited}, 0};
}

void restore_mask(const SavedMask& mask) noexcept {
  os::Os& os = os::current();
  const bool restored = !mask.unlimited && os.set_affinity(mask.cpus) == 0;
  // The cpuset may have changed, and now have none of the thread's CPUs.
  if (!restored) os.unlimit_affinity();
}

Pin::~Pin() {
  if (lifted_) restore_mask(mask_);
}

int Pin::to(unsigned cpu) {
  if (!lifted_) {
    if (stay.threads != nullptr && stay.cpu == cpu) return 0;
    auto mask = lift_mask(before_);
    if (!mask.ok()) return mask.error;
    lifted_ = true;
    const bool lent = began_with_lent_mask(callers_, mask.value.cpus);
    mask_ = lent ? callers_->caller_mask : std::move(mask.value);
  }
  return os::current().set_affinity({cpu});
}

void Pin::leave(StayingThreads& threads, std::size_t thread) noexcept {
  if (!lifted_) return;
  lifted_ = false;
  threads.before[thread] = {std::move(mask_), stay};
  stay = {&threads, threads.number, thread, threads.cpus[thread]};
  ++threads.count;
}

}  // namespace nodewise
