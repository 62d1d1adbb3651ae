#include "segment/removal.hpp"

#include <cerrno>
#include <string_view>

#include <nodewise/error.hpp>

#include "base/mark.hpp"
#include "base/text.hpp"
#include "os/byte_lock.hpp"
#include "os/file.hpp"
#include "os/fork_watch.hpp"
#include "segment/header.hpp"
#include "segment/list.hpp"
#include "segment/locks.hpp"

namespace nodewise {

os::Result<bool> is_named(int descriptor, const std::string& path) {
  const auto mine = os::current().file_status(descriptor);
  if (!mine.ok()) return {false, mine.error};
  const auto named = os::current().path_status(path);
  if (!named.ok()) return {false, named.error == ENOENT ? 0 : named.error};
  return {mine.value.same_file(named.value), 0};
}

// A process removes a name only while it holds the maker byte. So between the check and the removal, no other
// process removes the name, and no other file gets it.
int remove_name(int descriptor, const std::string& path) {
  if (const int error = os::lock_patiently(descriptor, maker_byte)) return error;
  const auto named = is_named(descriptor, path);
  if (!named.value) return named.error;
  base::pass(base::Mark::removing);
  const int error = os::current().remove_file(path);
  return error == ENOENT ? 0 : error;
}

namespace {

std::string named(const std::string& name, const std::string& path) {
  return base::text("Segment: the name \"", name, "\" (", path, ") is taken");
}

// What has the name is no segment, or is another user's: no command of nodewise removes it.
void refuse_foreign(const std::string& taken, const std::string& path, const os::FileStatus& status) {
  const bool mine = status.uid == os::current().user_id();
  if (status.regular && mine) return;
  const char* const what = status.regular  ? "a file"
                           : status.folder ? "a directory"
                                           : "a link, pipe or device";
  const std::string whose = mine ? "is no segment; remove it"
                                 : base::text("belongs to user ", status.uid, "; let that user remove it");
  const char* const remove = status.folder ? "rmdir " : "rm ";
  throw SystemError(
      base::text(taken, " by ", what, " that ", whose, " (", remove, path, "), or choose another name"),
      EEXIST);
}

// By which segment the name is taken, and what helps apart from removing it.
std::string taker(const SegmentInfo& info, bool held) {
  const std::uint64_t pid = info.owner.pid;
  if (!info.fault.empty()) return base::text("by a damaged segment (", info.fault, ')');
  if (info.kept) return "by a segment that is kept; open it";
  switch (info.owner_state) {
    case SegmentOwner::State::alive:
      return base::text("by a segment of process ", pid, ", which runs; open it");
    case SegmentOwner::State::unknown:
      return base::text("by a segment of process ", pid, " in another pid namespace; open it");
    case SegmentOwner::State::dead:
      return base::text(
          "by a segment whose maker, process ", pid, ", is dead",
          held ? "; `nodewise segments gc` removes it when no process has it open any more" : "");
  }
  return {};
}

[[noreturn]] void refuse_published(const std::string& name, const std::string& path, const os::File& file) {
  const bool held = os::current().is_byte_locked(file.descriptor(), holder_byte).value;
  throw SystemError(base::text(named(name, path), ' ', taker(info_of(path, name, file), held),
                               "; remove it (nodewise segments remove ", name, "), or choose another name"),
                    EEXIST);
}

}  // namespace

// The name is taken: by a segment, or by a file that a dead maker left.
void clear_name(const std::string& name, const std::string& path) {
  const os::ForkWatch::Pause no_forks;  // a child must not get the lock that this takes
  os::Os& os = os::current();
  const std::string taken = named(name, path);
  const auto refuse = [&](std::string_view why, int error) {
    throw SystemError(base::text(taken, ", and ", why), error);
  };
  const auto entry = os.entry_status(path);
  if (entry.error == ENOENT) return;
  if (!entry.ok()) refuse("its file cannot be looked at", entry.error);
  refuse_foreign(taken, path, entry.value);
  auto found = os.open_shared(path, true);
  const bool read_only = found.error == EACCES || found.error == EROFS;
  if (read_only) found = os.open_shared(path, false);
  if (found.error == ENOENT) return;
  if (!found.ok()) refuse("its file cannot be opened", found.error);
  const os::File opening(found);
  const auto start = opening.read_start(segment_magic_bytes);
  if (!start.ok()) refuse("its header cannot be read", start.error);
  if (begins_published(start.value)) refuse_published(name, path, opening);
  if (read_only) refuse(base::text("its file may only be read; remove it (rm ", path, ')'), EACCES);
  if (const int error = os.lock_byte(opening.descriptor(), maker_byte, os::Lock::exclusive, false)) {
    if (error != EAGAIN) refuse("its file cannot be locked", error);
    // Only a maker also excludes readers, and a reader releases its lock after a moment.
    if (os.lock_byte(opening.descriptor(), maker_byte, os::Lock::shared, false) == 0) return;
    throw SystemError(base::text(taken, ": a segment is just being made by another process"), EEXIST);
  }
  const auto named = is_named(opening.descriptor(), path);
  if (!named.ok()) refuse("its file cannot be looked at", named.error);
  // It may have been published after its beginning was read, so that is read again.
  const auto now = opening.read_start(segment_magic_bytes);
  if (!named.value || begins_published(now.value)) return;
  base::pass(base::Mark::replacing);
  if (const int error = os.remove_file(path)) refuse("the file of a dead maker cannot be removed", error);
}

}  // namespace nodewise
