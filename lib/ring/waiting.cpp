// How a member waits: it polls, and then sleeps for short times. If no wake-up ended a sleep, it recovers the
// slots of dead members. So a consumer does not sleep forever if the producer that should wake it dies.
#include <algorithm>
#include <utility>

#include <nodewise/deadline.hpp>

#include "os/os.hpp"
#include "ring/member.hpp"
#include "ring/recovery.hpp"

namespace nodewise {
namespace {

// How long a member sleeps or polls before it looks for dead members. One of these may be the member that
// should have woken it.
constexpr std::chrono::milliseconds longest_sleep(2);

void pause_briefly() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

// The bit of a dead sleeper stays set. After many wake-ups in a row that woke no member, the bits of dead
// members are cleared.
void RingMember::wake_one(ring::Sleepers& side) {
  constexpr unsigned many = 64;
  if (wake(side, 1) > 0) {
    vain_calls_ = 0;
    return;
  }
  if (++vain_calls_ < many) return;
  vain_calls_ = 0;
  forget_dead_sleepers(side, MemberLocks(file_.descriptor(), me_, role_));
}

// A member sets its bit before it sleeps, and then polls a little longer. By then it sees everything that
// others wrote before they could see the bit. If it misses something nevertheless, the sleep is short.
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
  struct Sleeper {  // whose bit is cleared however the wait ends
    ~Sleeper() { bits.fetch_and(~bit); }
    std::atomic<std::uint64_t>& bits;
    const std::uint64_t bit;
  } const sleeper{bits, bit};
  const auto finish = [&](auto result) {
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
    // It was woken in time; otherwise a member may have died.
    if (Clock::now() - looked < longest_sleep) continue;
    looked = Clock::now();
    recover();
  }
}

std::optional<ring::Ticket> RingMember::wait_to_claim(Deadline until) {
  const auto closed = [&] { return ring_->memory.closed().load() != 0; };
  if (closed()) return std::nullopt;
  return wait_for([&] { return core_.claim(me_); }, closed, ring_->memory.control->producers, until);
}

bool RingMember::is_drained() {
  if (!file_.is_open()) join();
  if (ring_->memory.closed().load() == 0) return false;
  if (!settled_) RingRecovery::settle_closing();
  settled_ = true;
  return core_.is_drained(me_);
}

std::optional<ring::Taken> RingMember::wait_to_take(Deadline until) {
  return wait_for([&] { return core_.take(me_); }, [&] { return is_drained(); },
                  ring_->memory.control->consumers, until);
}

}  // namespace nodewise
