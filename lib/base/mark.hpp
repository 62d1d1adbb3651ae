// Marks: points in the code at which tests kill a process. They lie between two steps on which other
// processes depend. A build has them only if it defines NODEWISE_MARKS.
#pragma once

#include <string_view>

namespace nodewise::base {

enum class Mark : unsigned {
  // Steps of a slot of a ring. If there is only one producer (consumer), its claims are not written into the
  // slot; the tail (head) of the ring then moves after `claimed` (`taken`).
  claiming,        ///< Before the slot becomes `writing`.
  claimed,         ///< The slot is `writing`; before the tail moves.
  filling,         ///< While the producer writes.
  publishing,      ///< Before the slot becomes `ready`.
  published,       ///< The slot is `ready`; before sleepers are woken.
  taking,          ///< Before the slot becomes `leased`.
  taken,           ///< The slot is `leased`; before the head moves.
  reading,         ///< While the consumer reads.
  returning,       ///< Before the slot becomes `free`.
  returned,        ///< The slot is `free`; before sleepers are woken.
  abandoning,      ///< Before a slot that was not published becomes `free`.
  recovering,      ///< The lock of a dead member is held; before any of its slots changes.
  recovered_slot,  ///< After one of its slots changed; before the next one, and before the head moves back.
  recovered,       ///< After all its slots changed; before the lock is released.
  joining,         ///< A new member holds its lock; before it recovers the slots of its predecessor.
  joined,          ///< After it has recovered them.
  closing,         ///< The ring is closed; before sleepers are woken.
  // Steps of a segment's file.
  file_made,        ///< The file exists; before any lock is on it.
  file_locked,      ///< The file has both locks of its maker.
  file_sized,       ///< The file has its size; before it is mapped.
  file_filled,      ///< The file has all its data; before its header.
  header_written,   ///< The header is written, except the magic.
  header_complete,  ///< The segment is published; before the maker's lock is released.
  replacing,        ///< Before the file of a dead maker is removed.
  file_held,        ///< A process that opens the file holds it; before it knows whether it is published.
  leaving,          ///< Before the process knows whether it was the last holder.
  removing,         ///< Before the last holder removes the name.
  // Steps of shared objects.
  object_made,     ///< The object is complete; before the directory lists it.
  object_listed,   ///< The directory lists the object; the makers' lock is still held.
  value_copied,    ///< The other copy of a large value is written; before it becomes the valid one.
  value_changed,   ///< The other copy is the valid one; the writers' lock is still held.
  mutex_held,      ///< A caller is in the middle of a change. The test itself passes this mark.
  mutex_suspect,   ///< The next owner has set the word `suspect`; before the mutex is consistent.
  mutex_repaired,  ///< The data is repaired; before the word `suspect` is cleared.
  event_set,       ///< The event is set; before sleepers are woken.
  barrier_passed,  ///< The barrier has been passed; before sleepers are woken.
};
inline constexpr unsigned marks = static_cast<unsigned>(Mark::barrier_passed) + 1;
inline constexpr std::string_view mark_names[marks] = {
    "claiming",       "claimed",    "filling",       "publishing",     "published",       "taking",
    "taken",          "reading",    "returning",     "returned",       "abandoning",      "recovering",
    "recovered_slot", "recovered",  "joining",       "joined",         "closing",         "file_made",
    "file_locked",    "file_sized", "file_filled",   "header_written", "header_complete", "replacing",
    "file_held",      "leaving",    "removing",      "object_made",    "object_listed",   "value_copied",
    "value_changed",  "mutex_held", "mutex_suspect", "mutex_repaired", "event_set",       "barrier_passed"};

#ifdef NODEWISE_MARKS
inline void (*on_mark)(Mark mark) = nullptr;
inline void pass(Mark mark) {
  if (on_mark != nullptr) on_mark(mark);
}
#else
inline void pass(Mark) noexcept {}
#endif

}  // namespace nodewise::base
