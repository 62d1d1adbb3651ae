// The layout of shared objects in a segment: a control block, the directory, and then the objects.
//
// Only the number of published entries decides which objects exist. A maker writes an entry and its object
// behind the last published ones, and then publishes both by one store of this number. If it dies before that
// store, the next maker overwrites what it wrote.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <nodewise/shared_objects.hpp>

#include "base/fnv.hpp"
#include "base/text.hpp"
#include "os/robust_mutex.hpp"

namespace nodewise::objects {

inline constexpr std::size_t line = 128;  // two cache lines, because processors fetch them in pairs
inline constexpr std::uint32_t most_objects = 512;
inline constexpr std::size_t name_bytes = 64;  // including the terminating zero
inline constexpr std::size_t type_bytes = 96;

/// A published entry never changes.
struct alignas(line) Entry {
  char name[name_bytes];
  char type[type_bytes];  // for messages; it may be cut off
  std::uint64_t type_hash;
  std::uint64_t element_bytes;
  std::uint64_t count;  // elements of an array, parties of a barrier; otherwise 1
  std::uint64_t offset;
  std::uint64_t bytes;
  std::uint32_t kind;
  std::uint32_t reserved;
};
static_assert(sizeof(Entry) == 256);

struct alignas(line) Control {
  std::atomic<std::uint32_t> published;
  alignas(line) os::RobustMutex mutex;  // held while an object is made
};

struct Directory {
  Control control;
  Entry entries[most_objects];
};

/// A value of more than eight bytes. Copy number `sequence % 2` is valid; the other one is written next.
struct LargeCell {
  alignas(line) std::atomic<std::uint64_t> sequence;
  os::RobustMutex mutex;  // held while the value is written
  // The two copies follow.
};

struct MutexCell {
  os::RobustMutex mutex;
  std::atomic<std::uint32_t> suspect;  // an owner died, and the data has not been repaired since
};

struct EventCell {
  std::atomic<std::uint32_t> changes;  // odd if the event is set
};

struct BarrierCell {
  std::atomic<std::uint64_t> word;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              std::atomic<std::uint32_t>::is_always_lock_free);

/// Builds with different layouts of objects must not share them.
inline std::uint64_t content_hash() {
  return base::fnv1a(base::text("nodewise.objects/1 ", sizeof(Entry), ' ', offsetof(Entry, type_hash), ' ',
                                offsetof(Entry, kind), ' ', offsetof(Directory, entries), ' ',
                                sizeof(Directory), ' ', sizeof(LargeCell), ' ', offsetof(LargeCell, mutex),
                                ' ', sizeof(MutexCell), ' ', offsetof(MutexCell, suspect), ' ',
                                sizeof(os::RobustMutex), ' ', os::mutex_library()));
}

}  // namespace nodewise::objects
