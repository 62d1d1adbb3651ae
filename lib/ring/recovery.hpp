// What happens after members have died: their slots go back to the ring, and members that wait for these are
// woken.
#pragma once

#include <optional>

#include "os/os.hpp"
#include "ring/state.hpp"

namespace nodewise {

/// Finds out by locks which members are dead, through an opening of the ring's file. It provides what
/// ring::Core::sweep needs. Thread class: value.
class MemberLocks {
 public:
  /// `me` is the calling member, if the caller is one. `own_role` is the byte of the lock that it holds as
  /// the only producer or consumer, or 0. Locks of the caller do not conflict.
  MemberLocks(int descriptor, std::optional<ring::Owner> me, std::uint64_t own_role) noexcept
      : descriptor_(descriptor), me_(me), own_role_(own_role) {}
  bool is_dead(ring::Owner owner);
  bool lock(ring::Owner owner) { return lock_byte(ring::member_byte(owner)); }
  void unlock(ring::Owner owner) { unlock_byte(ring::member_byte(owner)); }
  bool lock_producer() { return lock_role(ring::only_producer_byte); }
  bool lock_consumer() { return lock_role(ring::only_consumer_byte); }
  void unlock_producer() { unlock_role(ring::only_producer_byte); }
  void unlock_consumer() { unlock_role(ring::only_consumer_byte); }

 private:
  bool lock_role(std::uint64_t role) {
    if (own_role_ == role || !lock_byte(ring::recovering_byte(role))) return false;
    if (lock_byte(role)) return true;
    unlock_byte(ring::recovering_byte(role));
    return false;
  }
  void unlock_role(std::uint64_t role) {
    unlock_byte(role);
    unlock_byte(ring::recovering_byte(role));
  }
  bool lock_byte(std::uint64_t byte) {
    return os::current().lock_byte(descriptor_, byte, os::Lock::exclusive, false) == 0;
  }
  void unlock_byte(std::uint64_t byte) { os::current().unlock_byte(descriptor_, byte); }
  int descriptor_;
  std::optional<ring::Owner> me_;
  std::uint64_t own_role_;
};

struct RingRecovery {
  /// Recovers the slots of all dead members, and wakes members that may be waiting for them. The arguments
  /// are those of MemberLocks. Returns the number of slots.
  static unsigned of(const BatchRing::State& ring, int descriptor, std::optional<ring::Owner> me,
                     std::uint64_t own_role);
  /// Returns when the caller can see every claim that was made before the closing.
  static void settle_closing();
};

/// Clears the sleeper bits of dead members, so that they are no longer woken.
void forget_dead_sleepers(ring::Sleepers& side, MemberLocks locks);

}  // namespace nodewise
