#include "segment/names.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/mount_path.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

constexpr std::size_t longest_name = 200;

bool is_segment_name(const std::string& name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= longest_name && alphanumeric(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

std::string file_prefix() {
  return base::text("nodewise.", os::current().user_id(), '.');
}

}  // namespace

std::vector<std::string> huge_page_folders(std::uint64_t page_bytes) {
  std::vector<std::string> folders;
  std::istringstream lines(os::current().read_text("/proc/self/mounts").value);
  std::string line, device, folder, type;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    if (!(words >> device >> folder >> type) || type != "hugetlbfs") continue;
    folder = os::mount_path(folder);
    const auto space = os::current().space(folder);
    if (space.ok() && (page_bytes == 0 || space.value.page_bytes == page_bytes)) folders.push_back(folder);
  }
  return folders;
}

std::string segment_path(const std::string& folder, const std::string& name) {
  return base::text(folder, '/', file_prefix(), name);
}

std::string segment_name(const std::string& file) {
  const std::string prefix = file_prefix();
  if (!file.starts_with(prefix)) return {};
  std::string name = file.substr(prefix.size());
  return is_segment_name(name) ? name : std::string();
}

std::vector<std::string> segment_folders() {
  std::vector<std::string> folders = {memory_folder};
  for (std::string& folder : huge_page_folders()) folders.push_back(std::move(folder));
  return folders;
}

void check_segment_name(const std::string& name) {
  if (!is_segment_name(name))
    throw InvalidArgument(
        base::text("Segment: ", base::quoted(name),
                   " cannot be a segment's name: letters, digits, '.', '_' and '-', a letter "
                   "or digit first, at most ",
                   longest_name));
}

}  // namespace nodewise
