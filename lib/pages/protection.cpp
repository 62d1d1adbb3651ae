#include "pages/protection.hpp"

#include <charconv>
#include <cstdint>
#include <sstream>
#include <string>

#include "os/os.hpp"

namespace nodewise {

// Lines look like "7f12a000-7f12c000 rw-p 00000000 00:00 0". If there is no /proc, the caller is believed.
bool may_be_written(const void* data, std::size_t bytes) {
  if (bytes == 0) return true;
  const auto first = reinterpret_cast<std::uintptr_t>(data);
  std::istringstream lines(os::current().read_text("/proc/self/maps").value);
  std::string range, permissions, rest;
  while (lines >> range >> permissions && std::getline(lines, rest)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    const char* const stop = range.data() + range.size();
    const auto hyphen = std::from_chars(range.data(), stop, begin, 16).ptr;
    if (hyphen == stop || std::from_chars(hyphen + 1, stop, end, 16).ptr != stop) continue;
    const bool overlaps = begin < first + bytes && first < end;
    if (overlaps && permissions.find('w') == std::string::npos) return false;
  }
  return true;
}

}  // namespace nodewise
