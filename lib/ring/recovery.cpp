#include "ring/recovery.hpp"

#include <chrono>
#include <thread>

namespace nodewise {

bool MemberLocks::is_dead(ring::Owner owner) {
  if (owner == me_) return false;
  const auto locked = os::current().is_byte_locked(descriptor_, ring::member_byte(owner));
  return locked.ok() && !locked.value;
}

// If the kernel has no such barrier, waiting a few milliseconds replaces it, because no processor delays a
// store for so long.
void RingRecovery::settle_closing() {
  if (os::current().barrier_everywhere() != 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

unsigned RingRecovery::of(const BatchRing::State& ring, int descriptor, std::optional<ring::Owner> me,
                          std::uint64_t own_role) {
  MemberLocks locks(descriptor, me, own_role);
  const unsigned found = ring.core().sweep(me, locks);
  if (found > 0) wake_all(*ring.memory.control);
  return found;
}

void forget_dead_sleepers(ring::Sleepers& side, MemberLocks locks) {
  for (unsigned member = 0; member < ring::most_members; ++member) {
    const std::uint64_t bit = std::uint64_t{1} << member % 64;
    auto& bits = side.members[member / 64];
    if ((bits.load() & bit) != 0 && locks.is_dead(static_cast<ring::Owner>(member))) bits.fetch_and(~bit);
  }
}

}  // namespace nodewise
