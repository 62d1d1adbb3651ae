// Where a process may be killed, for those who test what becomes of it: between two steps of something that
// others depend on. Nothing is there unless the build asks for it.
#pragma once

#include <string_view>

namespace nodewise::base {

enum class Mark : unsigned {
  // A slot of a ring. What an only producer or consumer has in hand is not written into it: there the end of
  // the ring that says so moves after `claimed` and `taken`.
  claiming,        ///< Before it becomes `writing`.
  claimed,         ///< After, and before the tail says so.
  filling,         ///< While the producer writes.
  publishing,      ///< Before it becomes `ready`.
  published,       ///< After, and before sleepers are woken.
  taking,          ///< Before it becomes `leased`.
  taken,           ///< After, and before the head says so.
  reading,         ///< While the consumer reads.
  returning,       ///< Before it becomes `free`.
  returned,        ///< After, and before sleepers are woken.
  abandoning,      ///< Before an unpublished one becomes `free`.
  recovering,      ///< With a dead member's lock in hand, before any of its slots is touched.
  recovered_slot,  ///< Between two of them, and before the head is taken back.
  recovered,       ///< After all, before the lock is given back.
  joining,         ///< With a member's lock in hand, before what its predecessor left is dealt with.
  joined,          ///< After.
  closing,         ///< After a ring was closed, and before sleepers are woken.
  // A segment's file.
  file_made,        ///< Before anybody's lock is on it.
  file_locked,      ///< With both locks of its maker.
  file_sized,       ///< Before it is mapped.
  file_filled,      ///< With all its data, before its header.
  header_written,   ///< All but the magic.
  header_complete,  ///< Published, before the maker's lock goes.
  replacing,        ///< Before a dead maker's file is removed.
  file_held,        ///< By one who opens it, before it is known whether it is published.
  leaving,          ///< Before it is known whether this was the last holder.
  removing,         ///< Before the last holder takes the name away.
  // Shared objects.
  object_made,     ///< All of it is there, and the directory does not say so yet.
  object_listed,   ///< After, with the lock of those who make.
  value_copied,    ///< A large value's other copy is written, and does not hold yet.
  value_changed,   ///< After, with the lock of those who write.
  mutex_held,      ///< By a caller, half through a change; passed by the test itself.
  mutex_suspect,   ///< The next owner has said so, and has not made the mutex consistent yet.
  mutex_repaired,  ///< What it guards, and the word still says that it is suspect.
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
