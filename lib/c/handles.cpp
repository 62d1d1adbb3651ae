#include "c/handles.hpp"

#include <cstdint>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <string>
#include <vector>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/fork_watch.hpp"

namespace nodewise::c {
namespace {

// A handle is a word: a mark, the generation of its slot, and the number of the slot. The mark makes it an
// address that no process can have, so a program that follows a handle ends at once.
constexpr unsigned slot_bits = 24, mark_bits = 8;
constexpr std::uint64_t mark = 0x5A;
constexpr std::uint64_t most_slots = std::uint64_t{1} << slot_bits;
constexpr std::uint64_t most_generations = std::uint64_t{1} << (64 - slot_bits - mark_bits);

struct Slot {
  std::uint64_t generation = 1;
  const char* noun = nullptr;  // null: free
  std::shared_ptr<void> object;
};

// Forks wait while the table changes, so a child finds it whole. Another thread may have been reading it
// during the fork; that thread does not exist in the child, which therefore makes the lock anew.
class Table {
 public:
  void* add(std::shared_ptr<void> object, const char* noun) {
    const os::ForkWatch::Pause no_fork;
    const std::unique_lock lock(mutex_);
    if (free_.empty()) {
      if (slots_.size() == most_slots) throw OutOfMemory("nodewise: 16777216 handles are in use");
      free_.reserve(slots_.size() + 1);  // so that remove() needs no memory
      slots_.emplace_back();
      free_.push_back(slots_.size() - 1);
    }
    const std::size_t at = free_.back();
    free_.pop_back();
    Slot& slot = slots_[at];
    slot.noun = noun;
    slot.object = std::move(object);
    return reinterpret_cast<void*>(mark << (64 - mark_bits) | slot.generation << slot_bits | at);
  }

  std::shared_ptr<void> find(void* handle, const char* noun, const char* call) {
    const std::shared_lock lock(mutex_);
    const Slot* slot = slot_of(handle);
    if (slot == nullptr)
      throw InvalidArgument(
          base::text(call, ": the ", noun, handle == nullptr ? " is NULL" : " was freed, or is no handle"));
    if (std::string_view(slot->noun) != noun)
      throw InvalidArgument(
          base::text(call, ": needs a handle of a ", noun, ", and was given one of a ", slot->noun));
    return slot->object;
  }

  std::shared_ptr<void> remove(void* handle) {
    const os::ForkWatch::Pause no_fork;
    const std::unique_lock lock(mutex_);
    Slot* slot = slot_of(handle);
    if (slot == nullptr) throw InvalidArgument("nw_free: the handle was freed before, or is no handle");
    slot->noun = nullptr;
    // A slot whose generations are used up is not used again.
    if (++slot->generation < most_generations)
      free_.push_back(static_cast<std::size_t>(slot - slots_.data()));
    return std::move(slot->object);
  }

  std::size_t live() {
    const std::shared_lock lock(mutex_);
    std::size_t count = 0;
    for (const Slot& slot : slots_) count += slot.noun != nullptr ? 1 : 0;
    return count;
  }

 private:
  Slot* slot_of(void* handle) {
    const auto word = reinterpret_cast<std::uint64_t>(handle);
    const std::uint64_t at = word % most_slots;
    if (word >> (64 - mark_bits) != mark || at >= slots_.size()) return nullptr;
    Slot& slot = slots_[at];
    return slot.noun != nullptr && (word >> slot_bits) % most_generations == slot.generation ? &slot
                                                                                             : nullptr;
  }

  std::shared_mutex mutex_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  os::ForkWatch unlock_in_child_{[this] { new (&mutex_) std::shared_mutex; }};
};

// Never destroyed: handles may be freed while the process ends.
Table& table() {
  static Table& only = *new Table;
  return only;
}

}  // namespace

void* add_handle(std::shared_ptr<void> object, const char* noun) {
  return table().add(std::move(object), noun);
}
std::shared_ptr<void> object_of(void* handle, const char* noun, const char* call) {
  return table().find(handle, noun, call);
}
std::shared_ptr<void> remove_handle(void* handle) {
  return table().remove(handle);
}
std::size_t live_handles() {
  return table().live();
}

}  // namespace nodewise::c
