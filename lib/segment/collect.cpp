// Removes segments that no process holds and whose maker is dead.
#include <chrono>
#include <utility>

#include "os/fork_watch.hpp"
#include "os/os.hpp"
#include "segment/list.hpp"
#include "segment/locks.hpp"
#include "segment/removal.hpp"

namespace nodewise {
namespace {

bool old_enough(const SegmentInfo& info, const CollectOptions& options) {
  return options.older_than && std::chrono::system_clock::now() - info.created >= *options.older_than;
}

// What a killed job left: a segment that is not kept, whose maker is dead.
bool is_leftover(const SegmentInfo& info) {
  return info.published && !info.kept && info.owner_state == SegmentOwner::State::dead;
}

bool collectable(const SegmentInfo& info, const CollectOptions& options) {
  // The maker is dead, because a living one would hold the segment.
  if (!info.published) return info.fault.empty();
  if (info.kept) return old_enough(info, options);
  return is_leftover(info);
}

// Removes the segment's name, if no process holds it and, looked at once more, it is still to be collected.
// `info` is what it says then.
template <class Wanted>
bool collect(SegmentInfo& info, const os::File& file, const Wanted& wanted) {
  // A process that opens the file from here on waits for the lock, and then finds the name removed.
  if (os::current().lock_byte(file.descriptor(), holder_byte, os::Lock::exclusive, false) != 0) return false;
  // Since the header was read, the segment may have been published, and given up by all its holders.
  info = info_of(info.path, info.name, file);
  return wanted(info) && is_named(file.descriptor(), info.path).value &&
         remove_name(file.descriptor(), info.path) == 0;
}

}  // namespace

bool collect_leftover(const std::string& name, const std::string& path) {
  const os::ForkWatch::Pause no_forks;  // a child must not get the locks that this takes
  const os::File file(os::current().open_shared(path, true));
  if (!file.is_open() || !is_own_file(file)) return false;
  SegmentInfo info = info_of(path, name, file);
  return is_leftover(info) && collect(info, file, is_leftover);
}

std::vector<SegmentInfo> collect_segments(const CollectOptions& options) {
  std::vector<SegmentInfo> collected;
  for_each_segment(options.prefix, [&](SegmentInfo info, const os::File& file, bool writable) {
    os::Os& os = os::current();
    if (!writable || !collectable(info, options)) return;  // to collect it takes a lock that excludes others
    if (options.dry_run) {  // the last holder could see a lock taken here, and think that it is not the last
      if (!os.is_byte_locked(file.descriptor(), holder_byte).value) collected.push_back(std::move(info));
      return;
    }
    if (collect(info, file, [&](const SegmentInfo& now) { return collectable(now, options); }))
      collected.push_back(std::move(info));
  });
  return collected;
}

}  // namespace nodewise
