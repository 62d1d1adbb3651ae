// Which segments there are, who holds them, and the removal of those that nobody will miss.
#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>

#include "base/text.hpp"
#include "os/file.hpp"
#include "os/lock_table.hpp"
#include "os/os.hpp"
#include "segment/header.hpp"
#include "segment/locks.hpp"
#include "segment/names.hpp"
#include "segment/removal.hpp"

namespace nodewise {
namespace {

// How often each file is held, by os::lock_table_name. /proc/locks has lines such as
// "1: OFDLCK ADVISORY  READ -1 00:1b:1292 1 1".
std::optional<std::map<std::string, unsigned>> holders() {
  const auto text = os::current().read_text("/proc/locks");
  if (!text.ok()) return std::nullopt;
  std::map<std::string, unsigned> counts;
  std::istringstream lines(text.value);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, type, advisory, mode, pid, file;
    std::uint64_t byte = 0;
    if (!(words >> number >> type >> advisory >> mode >> pid >> file >> byte)) continue;
    if (type != "OFDLCK" || byte != holder_byte) continue;
    ++counts[file];
  }
  return counts;
}

void describe(SegmentInfo& info, const os::File& file) {
  const auto start = file.read_start(segment_header_limit_bytes);
  if (!start.ok()) throw SystemError("Segment: its header cannot be read", start.error);
  info.published = begins_published(start.value);
  if (!info.published) return;
  SegmentHeader header = parse_segment_header(start.value, info.bytes, '"' + info.name + '"');
  info.kind = header.kind;
  info.owner = header.owner;
  info.owner_state = owner_state(header.owner);
  info.created = created_at(header.created_ns);
  info.kept = header.keep;
  info.source = std::move(header.source);
  info.dataset = header.dataset;
}

SegmentInfo info_of(const std::string& path, std::string name, const os::File& file) {
  SegmentInfo info;
  info.name = std::move(name);
  info.path = path;
  info.bytes = file.status().value.bytes;
  try {
    describe(info, file);
  } catch (const Error& error) {
    info.fault = error.what();
  }
  return info;
}

// Calls fn(info, file) for every segment of this user.
template <class Fn>
void for_each_segment(Fn fn) {
  os::Os& os = os::current();
  for (const std::string& folder : segment_folders()) {
    auto names = os.list_folder(folder).value;
    std::sort(names.begin(), names.end());
    for (const std::string& entry : names) {
      std::string name = segment_name(entry);
      if (name.empty()) continue;
      const std::string path = segment_path(folder, name);
      const os::File file(os.open_shared(path, true));
      if (!file.is_open()) continue;
      const auto status = file.status();
      if (!status.ok() || !status.value.regular || status.value.uid != os.user_id()) continue;
      fn(info_of(path, std::move(name), file), file);
    }
  }
}

bool old_enough(const SegmentInfo& info, const CollectOptions& options) {
  return options.older_than && std::chrono::system_clock::now() - info.created >= *options.older_than;
}

bool collectable(const SegmentInfo& info, const CollectOptions& options) {
  if (!info.published) return info.fault.empty();  // a dead maker's; a living one would hold it
  if (info.kept) return old_enough(info, options);
  return info.owner_state == SegmentOwner::State::dead;
}

}  // namespace

std::vector<SegmentInfo> list_segments() {
  const auto counts = holders();
  std::vector<SegmentInfo> list;
  for_each_segment([&](SegmentInfo info, const os::File& file) {
    const auto status = file.status();
    if (counts) {
      const auto count = counts->find(os::lock_table_name(status.value));
      info.attached = count == counts->end() ? 0 : count->second;
    }
    info.held = os::current().is_byte_locked(file.descriptor(), holder_byte).value;
    list.push_back(std::move(info));
  });
  return list;
}

std::vector<SegmentInfo> collect_segments(const CollectOptions& options) {
  std::vector<SegmentInfo> collected;
  for_each_segment([&](SegmentInfo info, const os::File& file) {
    os::Os& os = os::current();
    if (!collectable(info, options)) return;
    if (options.dry_run) {  // a lock could make the last holder take itself for one of many
      if (!os.is_byte_locked(file.descriptor(), holder_byte).value) collected.push_back(std::move(info));
      return;
    }
    // Whoever opens it from here on waits for the lock, and finds the name gone.
    if (os.lock_byte(file.descriptor(), holder_byte, os::Lock::exclusive, false) != 0) return;
    // Since it was read it may have been published, and given up by all who had it.
    info = info_of(info.path, info.name, file);
    if (!collectable(info, options)) return;
    if (!is_named(file.descriptor(), info.path).value) return;
    if (remove_name(file.descriptor(), info.path) != 0) return;
    collected.push_back(std::move(info));
  });
  return collected;
}

}  // namespace nodewise
