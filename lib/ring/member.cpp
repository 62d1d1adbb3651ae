#include "ring/member.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/byte_lock.hpp"

namespace nodewise {

namespace {

/// How long somebody sleeps, or spins, before he looks whether another one died, who may have been the one to
/// wake him.
constexpr std::chrono::milliseconds longest_sleep(2);

void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Who is dead, by the locks of the members; asked through one's own opening of the file.
class MemberLocks {
 public:
  MemberLocks(int descriptor, std::optional<ring::Owner> me, std::uint64_t own_role) noexcept
      : descriptor_(descriptor), me_(me), own_role_(own_role) {}
  bool is_dead(ring::Owner owner) {
    if (owner == me_) return false;  // one's own lock is no obstacle to oneself
    const auto locked = os::current().is_byte_locked(descriptor_, ring::member_byte(owner));
    return locked.ok() && !locked.value;
  }
  bool lock(ring::Owner owner) { return lock_byte(ring::member_byte(owner)); }
  void unlock(ring::Owner owner) { os::current().unlock_byte(descriptor_, ring::member_byte(owner)); }
  bool lock_producer() {
    return own_role_ != ring::only_producer_byte && lock_byte(ring::only_producer_byte);
  }
  bool lock_consumer() {
    return own_role_ != ring::only_consumer_byte && lock_byte(ring::only_consumer_byte);
  }
  void unlock_producer() { os::current().unlock_byte(descriptor_, ring::only_producer_byte); }
  void unlock_consumer() { os::current().unlock_byte(descriptor_, ring::only_consumer_byte); }

 private:
  bool lock_byte(std::uint64_t byte) {
    return os::current().lock_byte(descriptor_, byte, os::Lock::exclusive, false) == 0;
  }
  int descriptor_;
  std::optional<ring::Owner> me_;
  std::uint64_t own_role_;  // that lock is its own: no obstacle either
};

constexpr std::uint64_t no_role = 0;

// The lock that says that there is no other producer, or consumer.
std::uint64_t role_byte(const RingMemory& memory, bool producing) {
  if (producing) return memory.only_producer ? ring::only_producer_byte : no_role;
  return memory.only_consumer ? ring::only_consumer_byte : no_role;
}

// Where there is one CPU, nobody else gets on while this spins. The mask of this process says nothing: who is
// waited for may have another one.
std::chrono::nanoseconds sensible_spin(const RingWaiting& waiting) {
  const auto online = os::current().read_text("/sys/devices/system/cpu/online");
  const bool several = !online.ok() || online.value.find_first_of("-,") != std::string::npos;
  return several ? waiting.spin : std::chrono::nanoseconds(0);
}

}  // namespace

os::File BatchRing::State::open_again() const {
  const auto opened = os::current().reopen(file->descriptor());
  if (!opened.ok()) throw SystemError("BatchRing: its segment cannot be opened again", opened.error);
  return os::File(opened);
}

RingMember::RingMember(std::shared_ptr<BatchRing::State> ring, bool producing, const RingWaiting& waiting)
    : ring_(std::move(ring)),
      core_(ring_->memory),
      producing_(producing),
      role_(role_byte(ring_->memory, producing)),
      spin_(sensible_spin(waiting)),
      // The parent's locks must end with the parent, and its slots are not the child's.
      fork_watch_([this] {
        file_.close();
        ++epoch_;
      }) {
  join();
}

RingMember::~RingMember() {
  leave();
}

// From its first moment on the opening is known to whoever cleans up in a forked child.
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

void RingMember::lock_role() const {
  if (role_ == no_role) return;
  // Who looks after what a dead one had in hand has it for a moment too.
  if (const int error = os::lock_patiently(file_.descriptor(), role_))
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

// What whoever had this number before left, and what the only one of its kind may have left under another.
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

// By name, as a child that is just being forked may have a copy of the descriptor.
void RingMember::let_go() noexcept {
  os::Os& os = os::current();
  if (role_ != no_role) os.unlock_byte(file_.descriptor(), role_);
  os.unlock_byte(file_.descriptor(), ring::member_byte(me_));
  file_.close();
}

// Whatever it still holds goes back the way of the dead's.
void RingMember::leave() noexcept {
  if (!file_.is_open()) return;
  if (settle_own() > 0) wake_all(*ring_->memory.control);
  let_go();
}

// Where the kernel has no such barrier, a few milliseconds are one: no processor keeps a store to itself so
// long.
void RingRecovery::settle_closing() {
  if (os::current().barrier_everywhere() != 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

unsigned RingRecovery::of(const BatchRing::State& ring, int descriptor, std::optional<ring::Owner> me,
                          std::uint64_t own_role) {
  MemberLocks locks(descriptor, me, own_role);
  const unsigned found = ring.core().sweep(me, locks);
  if (found > 0) RingMember::wake_all(*ring.memory.control);
  return found;
}

unsigned RingMember::recover() {
  if (!file_.is_open()) join();
  const unsigned found = RingRecovery::of(*ring_, file_.descriptor(), me_, role_);
  if (found > 0) count(entry_->recovered, found);
  return found;
}

unsigned RingMember::wake(ring::Sleepers& side, unsigned sleepers) {
  side.calls.fetch_add(1);
  return os::current().wake(reinterpret_cast<const std::uint32_t*>(&side.calls), sleepers);
}

void RingMember::wake_all(ring::Control& control) {
  wake(control.producers, os::all_sleepers);
  wake(control.consumers, os::all_sleepers);
}

// Who died asleep would be called for ever: when many calls in a row woke nobody, the dead are struck off.
void RingMember::wake_one(ring::Sleepers& side) {
  constexpr unsigned many = 64;
  if (wake(side, 1) > 0) {
    vain_calls_ = 0;
    return;
  }
  if (++vain_calls_ < many) return;
  vain_calls_ = 0;
  MemberLocks locks(file_.descriptor(), me_, role_);
  for (unsigned member = 0; member < ring::most_members; ++member) {
    const std::uint64_t bit = std::uint64_t{1} << member % 64;
    auto& bits = side.members[member / 64];
    if ((bits.load() & bit) != 0 && locks.is_dead(static_cast<ring::Owner>(member))) bits.fetch_and(~bit);
  }
}

// Who goes to sleep says so, and looks once more for a little while: what others wrote before they could see
// that somebody sleeps is visible by then. Should it not be, the sleep is short.
template <class Attempt, class Ended>
auto RingMember::wait_for(Attempt attempt, Ended ended, ring::Sleepers& side, Deadline until)
    -> decltype(attempt()) {
  constexpr int last_looks = 64;
  const auto began = Clock::now();
  const auto spun = until ? std::min(detail::after(spin_), *until) : detail::after(spin_);
  auto looked = began;
  for (auto now = began; now < spun && ring_->memory.closed().load() == 0; now = Clock::now()) {
    for (int i = 0; i < 16; ++i) {
      if (auto got = attempt()) return got;
      pause_briefly();
    }
    if (now - looked < longest_sleep) continue;
    looked = now;
    recover();
  }
  auto& bits = side.members[me_ / 64];
  const std::uint64_t bit = std::uint64_t{1} << me_ % 64;
  const auto finish = [&](auto result) {
    bits.fetch_and(~bit);
    const auto waited = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began);
    count(producing_ ? entry_->producer_waits : entry_->consumer_waits);
    count(producing_ ? entry_->producer_waited_ns : entry_->consumer_waited_ns,
          static_cast<std::uint64_t>(waited.count()));
    return result;
  };
  while (true) {
    bits.fetch_or(bit);
    const std::uint32_t calls = side.calls.load();
    for (int i = 0; i < last_looks; ++i) {
      if (auto got = attempt()) return finish(std::move(got));
      pause_briefly();
    }
    if (ended()) return finish(decltype(attempt()){});
    const auto now = Clock::now();
    if (until && now >= *until) return finish(decltype(attempt()){});
    const auto sleep =
        until ? std::min<std::chrono::nanoseconds>(longest_sleep, *until - now) : longest_sleep;
    os::current().wait_on(reinterpret_cast<const std::uint32_t*>(&side.calls), calls,
                          static_cast<std::uint64_t>(sleep.count()));
    if (Clock::now() - looked < longest_sleep) continue;  // called in time; else somebody may have died
    looked = Clock::now();
    recover();
  }
}

std::optional<ring::Ticket> RingMember::wait_to_claim(Deadline until) {
  const auto closed = [&] { return ring_->memory.closed().load() != 0; };
  if (closed()) return std::nullopt;
  return wait_for([&] { return core_.claim(me_); }, closed, ring_->memory.control->producers, until);
}

std::optional<ring::Taken> RingMember::wait_to_take(Deadline until) {
  const auto drained = [&] {
    if (ring_->memory.closed().load() == 0) return false;
    if (!settled_) RingRecovery::settle_closing();
    settled_ = true;
    return core_.is_drained(me_);
  };
  return wait_for([&] { return core_.take(me_); }, drained, ring_->memory.control->consumers, until);
}

}  // namespace nodewise
