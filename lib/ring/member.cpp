#include "ring/member.hpp"

#include <cerrno>
#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/byte_lock.hpp"
#include "ring/recovery.hpp"

namespace nodewise {
namespace {

constexpr std::uint64_t no_role = 0;

// The byte whose lock shows that there is no other producer (or consumer).
std::uint64_t role_byte(const RingMemory& memory, bool producing) {
  if (producing) return memory.only_producer ? ring::only_producer_byte : no_role;
  return memory.only_consumer ? ring::only_consumer_byte : no_role;
}

// On a machine with one CPU, no other process can run while this one polls. Only the machine matters and not
// this process's mask, because the other process may have another mask.
std::chrono::duration<double> sensible_spin(const RingWaiting& waiting) {
  const auto online = os::current().read_text("/sys/devices/system/cpu/online");
  const bool several = !online.ok() || online.value.find_first_of("-,") != std::string::npos;
  return several ? waiting.spin : waiting.spin.zero();
}

}  // namespace

RingMember::RingMember(std::shared_ptr<BatchRing::State> ring, bool producing, const RingWaiting& waiting)
    : ring_(std::move(ring)),
      core_(ring_->memory),
      producing_(producing),
      role_(role_byte(ring_->memory, producing)),
      spin_(sensible_spin(waiting)),
      // In a child, the locks must stay the parent's alone, and its slots are not the child's.
      fork_watch_([this] {
        file_.close();
        ++epoch_;
      }) {
  join();
}

RingMember::~RingMember() {
  leave();
}

// The opening is registered for the clean-up in forked children from the beginning.
void RingMember::join() {
  {
    const os::ForkWatch::Pause no_forks;
    file_ = ring_->open_again();
  }
  bool joined = false;
  try {
    lock_role();
    joined = take_number();
  } catch (...) {
    let_go();
    throw;
  }
  if (!joined) {
    let_go();
    throw SystemError(
        base::text("BatchRing: ", ring::most_members, " take part already, and there is no room for more"),
        EBUSY);
  }
  settle_predecessor();
  ++epoch_;
}

// A process that recovers the slots of a dead only member holds that member's lock too. It may take its time,
// but is no producer or consumer.
int RingMember::await_role() const {
  constexpr std::chrono::seconds patience(10);
  const auto until = Clock::now() + patience;
  while (true) {
    const int error = os::lock_patiently(file_.descriptor(), role_);
    if (error != EAGAIN || Clock::now() >= until) return error;
    const auto recovering = os::current().is_byte_locked(file_.descriptor(), ring::recovering_byte(role_));
    if (!recovering.value)  // it may just have ended
      return os::current().lock_byte(file_.descriptor(), role_, os::Lock::exclusive, false);
  }
}

void RingMember::lock_role() const {
  if (role_ == no_role) return;
  if (const int error = await_role())
    throw SystemError(
        base::text("BatchRing: it is made for one ", producing_ ? "producer" : "consumer",
                   ", and there is one, in this process or another, as a forked child's parent; "
                   "end that first, or make the ring for many (RingEnds::many)"),
        error == EAGAIN ? EBUSY : error);
}

bool RingMember::take_number() {
  for (unsigned member = 0; member < ring::most_members; ++member) {
    const int error =
        os::current().lock_byte(file_.descriptor(), ring::member_byte(member), os::Lock::exclusive, false);
    if (error == EAGAIN) continue;
    if (error != 0) throw SystemError("BatchRing: locking a place in it", error);
    me_ = static_cast<ring::Owner>(member);
    entry_ = &ring_->memory.control->members[member];
    return true;
  }
  return false;
}

// Recovers the slots of the previous member with this number. If this member is the only producer or
// consumer, also those of the previous one, which may have had another number.
void RingMember::settle_predecessor() {
  base::pass(base::Mark::joining);
  ring::Control& control = *ring_->memory.control;
  for (ring::Sleepers* side : {&control.producers, &control.consumers})
    side->members[me_ / 64].fetch_and(~(std::uint64_t{1} << me_ % 64));
  const unsigned found = settle_own();
  if (found > 0) count(entry_->recovered, found);
  recover();
  base::pass(base::Mark::joined);
}

unsigned RingMember::settle_own() {
  unsigned found = core_.recover(me_);
  if (role_ == ring::only_producer_byte) found += core_.settle_loans();
  if (role_ == ring::only_consumer_byte) found += core_.settle_leases();
  return found;
}

// Unlocks explicitly, because a child that is being forked may have a copy of the descriptor.
void RingMember::let_go() noexcept {
  os::Os& os = os::current();
  if (role_ != no_role) os.unlock_byte(file_.descriptor(), role_);
  os.unlock_byte(file_.descriptor(), ring::member_byte(me_));
  file_.close();
}

// Slots that it still holds are recovered like those of a dead member.
void RingMember::leave() noexcept {
  if (!file_.is_open()) return;
  if (settle_own() > 0) wake_all(*ring_->memory.control);
  let_go();
}

unsigned RingMember::recover() {
  if (!file_.is_open()) join();
  const unsigned found = RingRecovery::of(*ring_, file_.descriptor(), me_, role_);
  if (found > 0) count(entry_->recovered, found);
  return found;
}

}  // namespace nodewise
