// Events and barriers: words on which processes sleep. Each change is one compare-exchange, so a killed
// process leaves either the old or the new word. A process that changes a word may die before it wakes the
// others. So they sleep for short times, and then check the word again.
#include <algorithm>
#include <bit>
#include <limits>

#include <nodewise/error.hpp>

#include "base/mark.hpp"
#include "objects/layout.hpp"
#include "objects/value.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

using Clock = std::chrono::steady_clock;
using Deadline = const Clock::time_point*;  // null: no deadline

constexpr std::chrono::milliseconds longest_sleep(50);

// Sleeps for a short time while the word is `expected`. Returns false if the deadline has passed.
bool sleep_on(const std::uint32_t* word, std::uint32_t expected, Deadline until) noexcept {
  std::chrono::nanoseconds sleep = longest_sleep;
  if (until != nullptr) {
    const auto now = Clock::now();
    if (now >= *until) return false;
    sleep = std::min<std::chrono::nanoseconds>(sleep, *until - now);
  }
  os::current().wait_on(word, expected, static_cast<std::uint64_t>(sleep.count()));
  return true;
}

std::atomic<std::uint32_t>& changes_at(const detail::SharedPlace& place) noexcept {
  return reinterpret_cast<objects::EventCell*>(place.at)->changes;
}

const std::uint32_t* word_of(const std::atomic<std::uint32_t>& changes) noexcept {
  return reinterpret_cast<const std::uint32_t*>(&changes);
}

constexpr bool is_odd(std::uint32_t changes) noexcept {
  return changes % 2 != 0;
}

}  // namespace

void SharedEvent::set() const noexcept {
  auto& changes = changes_at(place_);
  std::uint32_t seen = changes.load();
  while (!is_odd(seen) && !changes.compare_exchange_weak(seen, seen + 1)) {
  }
  base::pass(base::Mark::event_set);
  // Even if the event was set before: the process that set it may have died before it woke the others.
  os::current().wake(word_of(changes), os::all_sleepers);
}

void SharedEvent::clear() const noexcept {
  auto& changes = changes_at(place_);
  std::uint32_t seen = changes.load();
  while (is_odd(seen) && !changes.compare_exchange_weak(seen, seen + 1)) {
  }
}

bool SharedEvent::is_set() const noexcept {
  return is_odd(changes_at(place_).load());
}

// If the word has changed since it was first read, the event was set in between.
bool SharedEvent::wait_until(Deadline until) const noexcept {
  const auto& changes = changes_at(place_);
  const std::uint32_t first = changes.load();
  if (is_odd(first)) return true;
  while (changes.load() == first)
    if (!sleep_on(word_of(changes), first, until)) return false;
  return true;
}

void SharedEvent::wait() const noexcept {
  wait_until(nullptr);
}

namespace {

// The word of a barrier. A phase ends when all parties have arrived, or when it is broken or reset. A waiter
// that sees that its phase is over must find out how it ended. So the word counts the phases that have ended
// well since the last one that was broken or reset.
struct Barrier {
  std::uint32_t phase = 0;    // the low half; sleepers sleep on it
  std::uint16_t arrived = 0;  // the parties that have arrived in this phase
  bool broken = false;
  // The value most_well means: that many or more, or no phase ever ended badly.
  std::uint16_t well = most_well;
  static constexpr std::uint16_t most_well = 0x7fff;

  static constexpr Barrier of(std::uint64_t word) noexcept {
    return {.phase = static_cast<std::uint32_t>(word),
            .arrived = static_cast<std::uint16_t>(word >> 48),
            .broken = (word >> 32 & 1) != 0,
            .well = static_cast<std::uint16_t>(word >> 33 & most_well)};
  }
  constexpr std::uint64_t word() const noexcept {
    return std::uint64_t{arrived} << 48 | std::uint64_t{well} << 33 | std::uint64_t{broken} << 32 | phase;
  }
  constexpr Barrier with_one_more() const noexcept {
    Barrier next = *this;
    ++next.arrived;
    return next;
  }
  constexpr Barrier passed() const noexcept {
    return {.phase = phase + 1, .well = static_cast<std::uint16_t>(std::min(well + 1, +most_well))};
  }
  constexpr Barrier failed(bool stays_broken) const noexcept {
    return {.phase = phase + 1, .broken = stays_broken, .well = 0};
  }
  // Whether a phase that is over, or a later one, ended badly.
  constexpr bool ended_badly(std::uint32_t earlier) const noexcept {
    return well < most_well && phase - earlier > well;
  }
};
static_assert(Barrier{}.word() == objects::fresh_barrier);

std::atomic<std::uint64_t>& word_at(const detail::SharedPlace& place) noexcept {
  return reinterpret_cast<objects::BarrierCell*>(place.at)->word;
}

const std::uint32_t* phase_at(const detail::SharedPlace& place) noexcept {
  constexpr std::size_t low_half = std::endian::native == std::endian::little ? 0 : 4;
  return reinterpret_cast<const std::uint32_t*>(place.at + low_half);
}

void wake_all(const detail::SharedPlace& place) noexcept {
  os::current().wake(phase_at(place), os::all_sleepers);
}

[[noreturn]] void throw_broken(const char* how) {
  throw BrokenBarrier(base::text("SharedBarrier: ", how, "; reset() makes it usable again"));
}

// Ends the present phase of the barrier badly, if its word is still `in`.
bool end_badly(const detail::SharedPlace& place, std::uint64_t in, bool stays_broken) noexcept {
  if (!word_at(place).compare_exchange_strong(in, Barrier::of(in).failed(stays_broken).word())) return false;
  wake_all(place);
  return true;
}

}  // namespace

unsigned SharedBarrier::arrive(Deadline until, const Stop* stop) const {
  auto& word = word_at(place_);
  std::uint64_t seen = word.load();
  Barrier before;
  bool last = false;
  do {
    before = Barrier::of(seen);
    if (before.broken) throw_broken("it is broken");
    last = before.arrived + 1U >= parties_;
  } while (!word.compare_exchange_weak(seen, (last ? before.passed() : before.with_one_more()).word()));
  if (last) {
    base::pass(base::Mark::barrier_passed);
    wake_all(place_);
    return before.arrived;
  }
  while (true) {
    seen = word.load();
    const Barrier now = Barrier::of(seen);
    if (now.phase != before.phase) {
      if (now.ended_badly(before.phase)) throw_broken("it was broken or reset during the wait");
      return before.arrived;
    }
    if (stop != nullptr && stop->requested() && end_badly(place_, seen, true)) stop->check("SharedBarrier");
    if (!sleep_on(phase_at(place_), before.phase, until) && end_badly(place_, seen, true))
      throw_broken("not all parties arrived in time");
  }
}

unsigned SharedBarrier::arrive_and_wait() const {
  return arrive(nullptr, nullptr);
}

void SharedBarrier::give_up() const noexcept {
  for (std::uint64_t seen = word_at(place_).load(); !Barrier::of(seen).broken; seen = word_at(place_).load())
    if (end_badly(place_, seen, true)) return;
}

void SharedBarrier::reset() const noexcept {
  while (true) {
    const std::uint64_t seen = word_at(place_).load();
    const Barrier now = Barrier::of(seen);
    if (!now.broken && now.arrived == 0) return;
    if (end_badly(place_, seen, false)) return;
  }
}

unsigned SharedBarrier::waiting() const noexcept {
  return Barrier::of(word_at(place_).load()).arrived;
}

bool SharedBarrier::broken() const noexcept {
  return Barrier::of(word_at(place_).load()).broken;
}

}  // namespace nodewise
