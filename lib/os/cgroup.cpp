#include "os/cgroup.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "os/mount_path.hpp"
#include "os/os.hpp"

namespace nodewise::os {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    pieces.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

bool contains(const std::vector<std::string_view>& pieces, std::string_view wanted) {
  return std::find(pieces.begin(), pieces.end(), wanted) != pieces.end();
}

// A folder of a hierarchy of groups, and where it is mounted.
struct Mount {
  std::string root;
  std::string point;
};

std::optional<Mount> mount_of(std::string_view controller, const std::string& mountinfo) {
  for (const std::string_view line : split(mountinfo, '\n')) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    const bool wanted = controller.empty() ? dash[1] == "cgroup2"
                                           : dash[1] == "cgroup" && contains(split(dash[3], ','), controller);
    if (wanted) return Mount{mount_path(fields[3]), mount_path(fields[4])};
  }
  return std::nullopt;
}

// Lines are "number:controllers:path". The line of cgroup version 2 names no controller.
std::optional<std::string> path_of_self(std::string_view controller, const std::string& cgroups) {
  for (const std::string_view line : split(cgroups, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : contains(split(controllers, ','), controller))
      return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

// The part of `path` below `root`: empty, or it begins with "/". Empty if `path` is not below `root`, as can
// be so in a container, or is no absolute path.
std::string below(const std::string& root, const std::string& path) {
  const std::string start = root == "/" ? "" : root;
  const bool inside = path.starts_with(start) && path.size() > start.size() && path[start.size()] == '/';
  const std::string rest = inside ? path.substr(start.size()) : "";
  return rest == "/" || rest == "/.." || rest.starts_with("/../") ? "" : rest;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  return parsed.ec == std::errc() && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

void narrow(std::optional<double>& smallest, std::optional<double> quota, std::optional<double> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return;  // "max" and -1 mean: no limit
  smallest = std::min(smallest.value_or(*quota / *period), *quota / *period);
}

}  // namespace

std::vector<std::string> group_folders(std::string_view controller) {
  const auto mount = mount_of(controller, current().read_text("/proc/self/mountinfo").value);
  const auto path = path_of_self(controller, current().read_text("/proc/self/cgroup").value);
  if (!mount || !path) return {};
  std::vector<std::string> folders;
  for (std::string inner = below(mount->root, *path); !inner.empty(); inner.resize(inner.rfind('/')))
    folders.push_back(mount->point + inner);
  folders.push_back(mount->point);
  return folders;
}

std::optional<double> cpu_quota() {
  std::optional<double> smallest;
  for (const std::string& folder : group_folders("")) {
    const auto words = current().read_text(folder + "/cpu.max").value;
    const auto blank = std::min(words.find(' '), words.size());
    narrow(smallest, number(words),
           number(std::string_view(words).substr(std::min(blank + 1, words.size()))));
  }
  for (const std::string& folder : group_folders("cpu"))
    narrow(smallest, number(current().read_text(folder + "/cpu.cfs_quota_us").value),
           number(current().read_text(folder + "/cpu.cfs_period_us").value));
  return smallest;
}

}  // namespace nodewise::os
