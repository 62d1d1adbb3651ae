// The layout of a ring in a segment.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <nodewise/batch_ring.hpp>

#include "base/fnv.hpp"
#include "base/text.hpp"
#include "ring/core.hpp"

namespace nodewise::ring {

inline constexpr std::size_t line = 128;  // two cache lines, because processors fetch them in pairs
inline constexpr unsigned most_members = 256;

/// The words of a member, which only the holder of its lock writes. If another member gets the same number
/// later, it continues the counts.
struct alignas(line) MemberEntry {
  std::atomic<std::uint64_t> published;
  std::atomic<std::uint64_t> returned;
  std::atomic<std::uint64_t> redelivered;
  std::atomic<std::uint64_t> recovered;
  std::atomic<std::uint64_t> producer_waits;
  std::atomic<std::uint64_t> consumer_waits;
  std::atomic<std::uint64_t> producer_waited_ns;
  std::atomic<std::uint64_t> consumer_waited_ns;
};

/// The sleepers of one side of the ring, with one bit for each member, and the word on which they sleep.
struct alignas(line) Sleepers {
  std::array<std::atomic<std::uint64_t>, most_members / 64> members;
  std::atomic<std::uint32_t> calls;
  bool are_there() const noexcept {
    static_assert(most_members == 256);
    const auto some = [this](unsigned i) { return members[i].load(std::memory_order_relaxed); };
    return (some(0) | some(1) | some(2) | some(3)) != 0;
  }
};

struct Control {
  alignas(line) std::atomic<std::uint64_t> tail;
  alignas(line) std::atomic<std::uint64_t> head;
  alignas(line) std::atomic<std::uint64_t> closed;
  std::atomic<std::uint64_t> recovered;  // by processes that are not members
  Sleepers producers;
  Sleepers consumers;
  std::array<MemberEntry, most_members> members;
};

/// One cache line, so that the users of neighbouring slots do not disturb each other.
struct alignas(64) Cell {
  std::atomic<std::uint64_t> word;
  std::atomic<std::uint64_t> rows;
  BatchTag tag;
};
static_assert(sizeof(Cell) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

/// Builds with different layouts of a ring must not share one.
inline std::uint64_t content_hash() {
  return base::fnv1a(base::text("nodewise.ring/1 ", sizeof(Control), ' ', offsetof(Control, head), ' ',
                                offsetof(Control, closed), ' ', offsetof(Control, producers), ' ',
                                offsetof(Control, consumers), ' ', offsetof(Control, members), ' ',
                                offsetof(Sleepers, calls), ' ', sizeof(MemberEntry), ' ', sizeof(Cell)));
}

// The bytes of the segment's file that are locked.
inline constexpr std::uint64_t only_producer_byte = 2;
inline constexpr std::uint64_t only_consumer_byte = 3;
// Held, together with one of the two above, by a process that recovers what a dead only producer or consumer
// left: a process that wants to take the dead one's place can tell it from a living one.
constexpr std::uint64_t recovering_byte(std::uint64_t only_byte) noexcept {
  return only_byte + 2;
}
constexpr std::uint64_t member_byte(unsigned member) noexcept {
  return 1024 + std::uint64_t{member};
}

}  // namespace nodewise::ring
