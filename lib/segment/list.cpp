// Which segments there are, who holds them, and the removal of those that nobody will miss.
#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>

#include "base/text.hpp"
#include "os/lock_table.hpp"
#include "os/os.hpp"
#include "segment/file.hpp"
#include "segment/names.hpp"

namespace nodewise {
namespace {

struct Opened {
  explicit Opened(const std::string& path) : descriptor(os::current().open_shared(path, true)) {}
  ~Opened() {
    if (descriptor.ok()) os::current().close_file(descriptor.value);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  os::Result<int> descriptor;
};

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

// The name of a segment in a file's name, "nodewise.1000.train"; empty where it is none.
std::string segment_name(const std::string& file, std::uint64_t user) {
  const std::string prefix = base::text("nodewise.", user, '.');
  return file.starts_with(prefix) ? file.substr(prefix.size()) : std::string();
}

void describe(SegmentInfo& info, int descriptor) {
  std::string start(segment_header_limit_bytes, '\0');
  const auto got = os::current().read_at(descriptor, start.data(), start.size(), 0);
  if (!got.ok()) throw SystemError("Segment: its header cannot be read", got.error);
  start.resize(got.value);
  info.published = begins_published(start);
  if (!info.published) return;
  SegmentHeader header = parse_segment_header(start, info.bytes, '"' + info.name + '"');
  info.kind = header.kind;
  info.owner = header.owner;
  info.owner_state = owner_state(header.owner);
  info.created = created_at(header.created_ns);
  info.kept = header.keep;
  info.source = std::move(header.source);
  info.shape = header.shape;
  info.dtype = header.dtype;
  info.batch_size = header.batch_size;
}

SegmentInfo info_of(const std::string& path, std::string name, int descriptor) {
  SegmentInfo info;
  info.name = std::move(name);
  info.path = path;
  info.bytes = os::current().file_status(descriptor).value.bytes;
  try {
    describe(info, descriptor);
  } catch (const Error& error) {
    info.fault = error.what();
  }
  return info;
}

// Calls fn(info, descriptor) for every segment of this user.
template <class Fn>
void for_each_segment(Fn fn) {
  os::Os& os = os::current();
  for (const std::string& folder : segment_folders()) {
    auto names = os.list_folder(folder).value;
    std::sort(names.begin(), names.end());
    for (const std::string& file : names) {
      std::string name = segment_name(file, os.user_id());
      if (name.empty()) continue;
      const std::string path = base::text(folder, '/', file);
      const Opened opened(path);
      if (!opened.descriptor.ok()) continue;
      const auto status = os.file_status(opened.descriptor.value);
      if (!status.ok() || !status.value.regular || status.value.uid != os.user_id()) continue;
      fn(info_of(path, std::move(name), opened.descriptor.value), opened.descriptor.value);
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
  for_each_segment([&](SegmentInfo info, int descriptor) {
    const auto status = os::current().file_status(descriptor);
    if (counts) {
      const auto count = counts->find(os::lock_table_name(status.value));
      info.attached = count == counts->end() ? 0 : count->second;
    }
    info.held = os::current().is_byte_locked(descriptor, holder_byte).value;
    list.push_back(std::move(info));
  });
  return list;
}

std::vector<SegmentInfo> collect_segments(const CollectOptions& options) {
  std::vector<SegmentInfo> collected;
  for_each_segment([&](SegmentInfo info, int descriptor) {
    os::Os& os = os::current();
    if (!collectable(info, options)) return;
    if (options.dry_run) {  // a lock could make the last holder take itself for one of many
      if (!os.is_byte_locked(descriptor, holder_byte).value) collected.push_back(std::move(info));
      return;
    }
    // Whoever opens it from here on waits for the lock, and finds the name gone.
    if (os.lock_byte(descriptor, holder_byte, os::Lock::exclusive, false) != 0) return;
    // Since it was read it may have been published, and given up by all who had it.
    info = info_of(info.path, info.name, descriptor);
    if (!collectable(info, options)) return;
    if (!SegmentFile::is_named(descriptor, info.path).value) return;
    if (SegmentFile::remove_name(descriptor, info.path) != 0) return;
    collected.push_back(std::move(info));
  });
  return collected;
}

}  // namespace nodewise
