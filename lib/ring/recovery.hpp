// What is done for members that died: their slots go back to the ring, and those who waited for them wake.
#pragma once

#include <optional>

#include "os/os.hpp"
#include "ring/state.hpp"

namespace nodewise {

/// Which members are dead, by their locks, asked through an opening of the ring's file. What
/// ring::Core::sweep wants. Thread class: value.
class MemberLocks {
 public:
  /// `me`: the member that asks, if it is one; `own_role`: the lock of an only one of its kind that it has,
  /// or 0. Its own locks are no obstacle to itself.
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
  /// Deals with all dead members, and wakes all who may have waited for them. Arguments as of MemberLocks.
  /// How many slots they held.
  static unsigned of(const BatchRing::State& ring, int descriptor, std::optional<ring::Owner> me,
                     std::uint64_t own_role);
  /// Returns when whatever was claimed before the ring was seen to be closed can be seen too.
  static void settle_closing();
};

/// The dead among those that are marked as sleepers are marked no longer: nobody calls them any more.
void forget_dead_sleepers(ring::Sleepers& side, MemberLocks locks);

}  // namespace nodewise
