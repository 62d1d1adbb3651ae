// What happens when members have died: their slots go back to the ring, and the members that waited for them
// are woken.
#pragma once

#include <optional>

#include "os/os.hpp"
#include "ring/state.hpp"

namespace nodewise {

/// Which members are dead, by their locks, asked through an opening of the ring's file. What
/// ring::Core::sweep wants. Thread class: value.
class MemberLocks {
 public:
  /// `me`: the calling member, if the caller is one; `own_role`: the lock that it holds as the only producer
  /// or consumer, or 0. Its own locks do not conflict.
  MemberLocks(int descriptor, std::optional<ring::Owner> me, std::uint64_t own_role) noexcept
      : descriptor_(descriptor), me_(me), own_role_(own_role) {}
  bool is_dead(ring::Owner owner);
  bool lock(ring::Owner owner) { return lock_byte(ring::member_byte(owner)); }
  void unlock(ring::Owner owner) { unlock_byte(ring::member_byte(owner)); }
  bool lock_producer() { return lock_role(ring::only_producer_byte); }
  bool lock_consumer() { return lock_role(ring::only_consumer_byte); }
  void unlock_producer() { unlock_byte(ring::only_producer_byte); }
  void unlock_consumer() { unlock_byte(ring::only_consumer_byte); }

 private:
  bool lock_role(std::uint64_t role) { return own_role_ != role && lock_byte(role); }
  bool lock_byte(std::uint64_t byte) {
    return os::current().lock_byte(descriptor_, byte, os::Lock::exclusive, false) == 0;
  }
  void unlock_byte(std::uint64_t byte) { os::current().unlock_byte(descriptor_, byte); }
  int descriptor_;
  std::optional<ring::Owner> me_;
  std::uint64_t own_role_;
};

struct RingRecovery {
  /// Recovers the slots of all dead members, and wakes the members that may have waited for them. Arguments
  /// as MemberLocks. Returns the number of slots.
  static unsigned of(const BatchRing::State& ring, int descriptor, std::optional<ring::Owner> me,
                     std::uint64_t own_role);
  /// Returns when every claim from before the closing is visible to the caller.
  static void settle_closing();
};

/// Clears the sleeper bits of dead members, so that they are no longer woken.
void forget_dead_sleepers(ring::Sleepers& side, MemberLocks locks);

}  // namespace nodewise
