#include "segment/list.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>

#include "base/text.hpp"
#include "os/fork_watch.hpp"
#include "os/lock_table.hpp"
#include "os/os.hpp"
#include "segment/header.hpp"
#include "segment/locks.hpp"
#include "segment/names.hpp"

namespace nodewise {
namespace {

// How many holders each file has, by os::lock_table_name. Lines of /proc/locks look like "1: OFDLCK ADVISORY
// READ -1 00:1b:1292 1 1".
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
  constexpr std::size_t usual_bytes = 8192;
  const auto what = '"' + info.name + '"';
  auto start = file.read_start(usual_bytes);
  if (!start.ok()) throw SystemError("Segment: its header cannot be read", start.error);
  info.published = begins_published(start.value);
  if (!info.published) return;
  const auto needed = needed_header_bytes(start.value, what);
  if (needed > usual_bytes) start = file.read_start(needed);
  if (!start.ok()) throw SystemError("Segment: its header cannot be read", start.error);
  SegmentHeader header = parse_segment_header(start.value, info.bytes, what);
  info.kind = header.kind;
  info.owner = header.owner;
  info.owner_state = owner_state(header.owner);
  info.created = created_at(header.created_ns);
  info.kept = header.keep;
  info.origin = std::move(header.origin);
  info.dataset = header.dataset;
  info.layout = header.layout;
  check_segment_pages(header, os::current().base_page_bytes(), what);
}

}  // namespace

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

bool is_own_file(const os::File& file) {
  const auto status = file.status();
  return status.ok() && status.value.regular && status.value.uid == os::current().user_id();
}

void for_each_segment(const std::string& prefix, const SegmentVisit& fn) {
  os::Os& os = os::current();
  for (const std::string& folder : segment_folders()) {
    auto names = os.list_folder(folder).value;
    std::sort(names.begin(), names.end());
    for (const std::string& entry : names) {
      std::string name = segment_name(entry);
      if (name.empty() || !name.starts_with(prefix)) continue;
      const std::string path = segment_path(folder, name);
      const os::ForkWatch::Pause no_forks;  // a child must not get the locks that `fn` may take
      auto opened = os.open_shared(path, true);
      const bool writable =
          opened.ok();  // else it is of mode 0400, or its folder is mounted for reading alone
      if (!writable) opened = os.open_shared(path, false);
      const os::File file(opened);
      if (!file.is_open() || !is_own_file(file)) continue;
      fn(info_of(path, std::move(name), file), file, writable);
    }
  }
}

std::vector<SegmentInfo> list_segments(const std::string& prefix) {
  const auto counts = holders();
  std::vector<SegmentInfo> list;
  for_each_segment(prefix, [&](SegmentInfo info, const os::File& file, bool) {
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

}  // namespace nodewise
