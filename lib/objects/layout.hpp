// Shared objects as they lie in a segment: a control block, the directory, then the objects.
//
// The number of published entries is the only word that decides what there is. An entry and its object are
// written behind the last published one, and one store of that number publishes both: whatever a maker that
// died before that store has written, the next maker overwrites.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <nodewise/shared_objects.hpp>

#include "base/fnv.hpp"
#include "base/text.hpp"
#include "os/robust_mutex.hpp"

namespace nodewise::objects {

inline constexpr std::size_t line = 128;  // two cache lines: processors fetch them in pairs
inline constexpr std::uint32_t most_objects = 512;
inline constexpr std::size_t name_bytes = 64;  // with the zero behind it
inline constexpr std::size_t type_bytes = 96;

/// A published entry never changes.
struct alignas(line) Entry {
  char name[name_bytes];
  char type[type_bytes];  // for messages; cut short
  std::uint64_t type_hash;
  std::uint64_t element_bytes;
  std::uint64_t count;  // elements of an array, parties of a barrier; else 1
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint32_t kind;
  std::uint32_t reserved;
};
static_assert(sizeof(Entry) == 256);

struct alignas(line) Control {
  std::atomic<std::uint32_t> published;
  alignas(line) os::RobustMutex mutex;  // held by the maker of an object
};

struct Directory {
  Control control;
  Entry entries[most_objects];
};

/// A value of more than eight bytes: copy `sequence % 2` holds, the other one is written next.
struct LargeCell {
  alignas(line) std::atomic<std::uint64_t> sequence;
  os::RobustMutex mutex;  // held by a writer
  // the two copies follow
};

struct MutexCell {
  os::RobustMutex mutex;
  std::atomic<std::uint32_t> suspect;  // an owner died, and its data has not been repaired
};

struct EventCell {
  std::atomic<std::uint32_t> changes;  // odd: set
};

struct BarrierCell {
  std::atomic<std::uint64_t> word;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

/// Two builds that lay objects out differently must not share any.
inline std::uint64_t content_hash() {
  return base::fnv1a(base::text("nodewise.objects/1 ", sizeof(Entry), ' ', offsetof(Entry, type_hash), ' ',
                                offsetof(Entry, kind), ' ', offsetof(Directory, entries), ' ',
                                sizeof(Directory), ' ', sizeof(LargeCell), ' ', offsetof(LargeCell, mutex),
                                ' ', sizeof(MutexCell), ' ', offsetof(MutexCell, suspect), ' ',
                                sizeof(os::RobustMutex), ' ', os::mutex_library()));
}

}  // namespace nodewise::objects
