// What the doctor finds of memory between processes: its room, what takes it away, and how much of it there
// may be.
#include <fmt/core.h>

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include <nodewise/segment.hpp>
#include <nodewise/sizes.hpp>

#include "doctor/doctor.hpp"
#include "parts/describe.hpp"
#include "parts/parse.hpp"
#include "parts/system.hpp"
#include "segments/segments.hpp"

namespace nodewise::tools {
namespace {

constexpr std::string_view memory_folder = "/dev/shm";

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// Segments there, their bytes, and those that nodewise segments gc would remove.
struct Use {
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unneeded = 0;
};

Use use_of_memory() {
  Use use;
  for (const SegmentInfo& info : list_segments()) {
    if (!info.path.starts_with(memory_folder)) continue;
    ++use.segments;
    use.bytes += info.bytes;
    if (why_stay(info) == Stay::no_reason) ++use.unneeded;
  }
  return use;
}

Finding shared_memory() {
  Finding finding{"shared-memory", Level::ok, {}, {}};
  struct statfs space {};
  const bool mounted = ::statfs(std::string(memory_folder).c_str(), &space) == 0;
  const auto block = static_cast<std::uint64_t>(space.f_bsize);
  const std::uint64_t total_bytes = space.f_blocks * block;
  if (!mounted || space.f_type != TMPFS_MAGIC) {
    finding.level = Level::note;
    finding.evidence = mounted ? "/dev/shm is not a file system in memory" : "/dev/shm is not mounted";
    finding.remedy = "mount -t tmpfs tmpfs /dev/shm; programs that share memory need it, and so do segments";
    return finding;
  }
  const Use use = use_of_memory();
  finding.evidence = fmt::format("/dev/shm holds {}, {} free", human_bytes(total_bytes),
                                 human_bytes(space.f_bavail * block));
  finding.evidence +=
      use.segments == 0
          ? ", you have no segments"
          : fmt::format(", {} of yours with {}", counted(use.segments, "segment"), human_bytes(use.bytes));
  if (use.unneeded > 0) {
    finding.level = Level::note;
    finding.evidence += fmt::format("; dead processes left {} of them", use.unneeded);
    finding.remedy = "nodewise segments gc";
  }
  const bool read_only = (space.f_flags & ST_RDONLY) != 0;
  if (read_only || (space.f_files > 0 && space.f_ffree == 0)) {
    finding.level = Level::warning;
    finding.evidence += read_only ? "; it may only be read: no segment can be made there"
                                  : "; it has no inode left: no file can be made there";
    finding.remedy = read_only ? "mount -o remount,rw /dev/shm"
                               : "nodewise segments gc, or mount -o remount,nr_inodes=1m /dev/shm";
    return finding;
  }
  constexpr std::uint64_t docker_default = std::uint64_t{64} << 20;
  if (total_bytes == 0 || total_bytes > docker_default) return finding;  // 0: no bound
  finding.level = Level::warning;
  finding.evidence +=
      "; SIGBUS kills a program that uses more, and nodewise refuses a segment that does not fit";
  finding.remedy += finding.remedy.empty() ? "" : "; ";
  finding.remedy += "docker --shm-size, or an emptyDir of medium Memory on /dev/shm in Kubernetes";
  return finding;
}

std::string without_spaces(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
  return text;
}

bool is_no(std::string value) {
  static constexpr std::string_view words[] = {"no", "false", "off", "0", "n", "f"};
  std::transform(value.begin(), value.end(), value.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(std::begin(words), std::end(words), value) != std::end(words);
}

// The last word on RemoveIPC in the section [Login], if there is one.
void read_remove_ipc(const std::string& path, std::string& value) {
  constexpr std::string_view key = "RemoveIPC=";
  std::istringstream lines(read_text(path).value);
  bool in_section = false;
  for (std::string line; std::getline(lines, line);) {
    line = without_spaces(std::move(line));
    if (line.starts_with('[')) in_section = line == "[Login]";
    if (in_section && line.starts_with(key)) value = line.substr(key.size());
  }
}

// As logind does it: the main file, then the drop-ins by name, wherever they are; of files of the same name
// the one in /etc counts, then the one in /run.
std::string remove_ipc_setting() {
  std::string main;
  std::map<std::string, std::string> drop_ins;
  for (const char* folder : {"/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd"}) {
    const std::string file = fmt::format("{}/logind.conf", folder);
    if (exists(file)) main = file;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(file + ".d", ignored))
      if (const std::string drop_in = entry.path().filename(); drop_in.ends_with(".conf"))
        drop_ins[drop_in] = fmt::format("{}.d/{}", file, drop_in);
  }
  std::string value;
  read_remove_ipc(main, value);
  for (const auto& [file, path] : drop_ins) read_remove_ipc(path, value);
  return value.empty() ? "yes" : value;
}

// By /etc/passwd; empty for a user who is only known elsewhere.
std::string user_name(unsigned uid) {
  std::istringstream lines(read_text("/etc/passwd").value);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name, password, number;
    std::getline(std::getline(std::getline(fields, name, ':'), password, ':'), number, ':');
    if (parse_count(number) == uid) return name;
  }
  return {};
}

bool lingers(const std::string& user) {
  return !user.empty() && exists("/var/lib/systemd/linger/" + user);
}

// logind deletes what a user has in /dev/shm when the last session ends, though programs still have it.
Finding remove_ipc() {
  Finding finding{"remove-ipc", Level::ok, {}, {}};
  constexpr unsigned first_ordinary_user = 1000;
  const unsigned uid = user_id();
  if (!exists("/run/systemd/system")) {
    finding.evidence = "systemd does not run here: no logout deletes segments";
    return finding;
  }
  const std::string value = remove_ipc_setting();
  finding.evidence = fmt::format("RemoveIPC = {} in systemd-logind", value);
  if (is_no(value)) return finding;
  if (uid < first_ordinary_user) {
    finding.evidence += fmt::format("; without effect on user {}, a system user", uid);
    return finding;
  }
  const std::string user = user_name(uid);
  if (lingers(user)) {
    finding.evidence += fmt::format("; without effect on {}, for whom lingering is enabled", user);
    return finding;
  }
  finding.level = Level::note;
  finding.evidence +=
      "; your segments are deleted when you log out, and only processes that have them open keep them";
  finding.remedy = fmt::format("RemoveIPC=no in /etc/systemd/logind.conf, or loginctl enable-linger {}",
                               user.empty() ? std::to_string(uid) : user);
  return finding;
}

// The soft limit and the hard one, as /proc/self/limits writes them.
std::pair<std::string, std::string> limits_of(const std::string& name) {
  const auto text = read_text("/proc/self/limits");
  const auto at = text.value.find(name);
  std::string soft, hard;
  if (at != std::string::npos) std::istringstream(text.value.substr(at + name.size())) >> soft >> hard;
  return {soft, hard};
}

Finding open_files() {
  Finding finding{"open-files", Level::ok, {}, {}};
  const auto [soft, hard] = limits_of("Max open files");
  if (soft.empty()) {
    finding.evidence = "/proc/self/limits does not say how many files may be open";
    return finding;
  }
  finding.evidence = fmt::format("{} files may be open; each segment needs one", soft);
  constexpr std::uint64_t usual = 1024;
  const auto limit = parse_count(soft);
  if (!limit || *limit >= usual) return finding;
  finding.level = Level::note;
  finding.evidence += fmt::format("; {} or more are usual", usual);
  finding.remedy = fmt::format("ulimit -n {}", hard == soft ? fmt::format("{}, by root", usual) : hard);
  return finding;
}

Finding mappings() {
  Finding finding{"mappings", Level::ok, {}, {}};
  const auto text = read_text("/proc/sys/vm/max_map_count");
  const auto limit = parse_count(text.value.substr(0, text.value.find('\n')));
  if (!limit) {
    finding.evidence = "vm.max_map_count cannot be read";
    return finding;
  }
  finding.evidence =
      fmt::format("vm.max_map_count = {}; a dataset needs one or two mappings on each node", *limit);
  constexpr std::uint64_t usual = 65530;
  if (*limit >= usual) return finding;
  finding.level = Level::note;
  finding.evidence += "; less than the kernel's own default";
  finding.remedy = fmt::format("sysctl vm.max_map_count={}", usual);
  return finding;
}

}  // namespace

std::vector<Finding> examine_sharing() {
  return {shared_memory(), remove_ipc(), open_files(), mappings()};
}

}  // namespace nodewise::tools
