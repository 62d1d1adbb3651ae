// Removes segments that no process holds and whose maker is dead.
#include <chrono>
#include <utility>

#include "os/os.hpp"
#include "segment/list.hpp"
#include "segment/locks.hpp"
#include "segment/removal.hpp"

namespace nodewise {
namespace {

bool old_enough(const SegmentInfo& info, const CollectOptions& options) {
  return options.older_than && std::chrono::system_clock::now() - info.created >= *options.older_than;
}

bool collectable(const SegmentInfo& info, const CollectOptions& options) {
  // The maker is dead, because a living one would hold the segment.
  if (!info.published) return info.fault.empty();
  if (info.kept) return old_enough(info, options);
  return info.owner_state == SegmentOwner::State::dead;
}

}  // namespace

std::vector<SegmentInfo> collect_segments(const CollectOptions& options) {
  std::vector<SegmentInfo> collected;
  for_each_segment([&](SegmentInfo info, const os::File& file) {
    os::Os& os = os::current();
    if (!collectable(info, options)) return;
    if (options.dry_run) {  // the last holder could see a lock taken here, and think that it is not the last
      if (!os.is_byte_locked(file.descriptor(), holder_byte).value) collected.push_back(std::move(info));
      return;
    }
    // A process that opens the file from now on waits for this lock, and then finds that the name is removed.
    if (os.lock_byte(file.descriptor(), holder_byte, os::Lock::exclusive, false) != 0) return;
    // After the header was read, the segment may have been published, and then released by all holders.
    info = info_of(info.path, info.name, file);
    if (!collectable(info, options)) return;
    if (!is_named(file.descriptor(), info.path).value) return;
    if (remove_name(file.descriptor(), info.path) != 0) return;
    collected.push_back(std::move(info));
  });
  return collected;
}

}  // namespace nodewise
