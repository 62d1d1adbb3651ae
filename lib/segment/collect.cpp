// The removal of segments whose maker is dead and that no process holds.
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
  if (!info.published) return info.fault.empty();  // its maker is dead; a living one would hold it
  if (info.kept) return old_enough(info, options);
  return info.owner_state == SegmentOwner::State::dead;
}

}  // namespace

std::vector<SegmentInfo> collect_segments(const CollectOptions& options) {
  std::vector<SegmentInfo> collected;
  for_each_segment([&](SegmentInfo info, const os::File& file) {
    os::Os& os = os::current();
    if (!collectable(info, options)) return;
    if (options.dry_run) {  // a lock could make the last holder take itself for one of many
      if (!os.is_byte_locked(file.descriptor(), holder_byte).value) collected.push_back(std::move(info));
      return;
    }
    // A process that opens the file from here on waits for the lock, and then finds the name removed.
    if (os.lock_byte(file.descriptor(), holder_byte, os::Lock::exclusive, false) != 0) return;
    // Since the header was read, the segment may have been published, and given up by all its holders.
    info = info_of(info.path, info.name, file);
    if (!collectable(info, options)) return;
    if (!is_named(file.descriptor(), info.path).value) return;
    if (remove_name(file.descriptor(), info.path) != 0) return;
    collected.push_back(std::move(info));
  });
  return collected;
}

}  // namespace nodewise
