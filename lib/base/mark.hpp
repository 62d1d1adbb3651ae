// Points at which tests kill a process: between two steps on which other processes depend. They are compiled
// in only where the build asks for them.
#pragma once

#include <string_view>

namespace nodewise::base {

enum class Mark : unsigned {
  // A slot of a ring. The claims of an only producer or consumer are not written into it; their end of the
  // ring moves after `claimed` and `taken`.
  claiming,        ///< Before it becomes `writing`.
  claimed,         ///< After that, and before the tail moves.
  filling,         ///< While the producer writes.
  publishing,      ///< Before it becomes `ready`.
  published,       ///< After, and before sleepers are woken.
  taking,          ///< Before it becomes `leased`.
  taken,           ///< After that, and before the head moves.
  reading,         ///< While the consumer reads.
  returning,       ///< Before it becomes `free`.
  returned,        ///< After, and before sleepers are woken.
  abandoning,      ///< Before an unpublished one becomes `free`.
  recovering,      ///< While a dead member's lock is held, before any of its slots is touched.
  recovered_slot,  ///< Between two of them, and before the head is taken back.
  recovered,       ///< After all, before the lock is given back.
  joining,         ///< While a member's lock is held, before the slots of its predecessor are recovered.
  joined,          ///< After.
  closing,         ///< After a ring was closed, and before sleepers are woken.
  // A segment's file.
  file_made,        ///< Before any lock is on it.
  file_locked,      ///< With both locks of its maker.
  file_sized,       ///< Before it is mapped.
  file_filled,      ///< With all its data, before its header.
  header_written,   ///< All but the magic.
  header_complete,  ///< Published, before the maker's lock goes.
  replacing,        ///< Before a dead maker's file is removed.
  file_held,        ///< By a process that opens it, before it knows whether the file is published.
  leaving,          ///< Before the process knows whether it was the last holder.
  removing,         ///< Before the last holder removes the name.
  // Shared objects.
  object_made,     ///< The object is complete, and the directory does not list it yet.
  object_listed,   ///< After that, while the makers' lock is held.
  value_copied,    ///< A large value's other copy is written, and does not hold yet.
  value_changed,   ///< After that, while the writers' lock is held.
  mutex_held,      ///< By a caller in the middle of a change; the test itself passes this mark.
  mutex_suspect,   ///< The next owner has set the word, and has not made the mutex consistent yet.
  mutex_repaired,  ///< The data is repaired, and the word still says that it is suspect.
  event_set,       ///< Before sleepers are woken.
  barrier_passed,  ///< Before sleepers are woken.
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
