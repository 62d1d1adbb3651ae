#include "pages/residency.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

int state_of(int status) noexcept {
  if (status >= 0) return status;
  return status == -ENOENT || status == -EFAULT ? page_absent : page_unknown;
}

// Joins neighbouring pages in the same state, and passes them on as one range.
class Joiner {
 public:
  Joiner(std::uint64_t bytes, const std::function<void(ByteRange, int)>& fn) : bytes_(bytes), fn_(fn) {}
  // `end` may lie behind the end of the range, because the last page may be only partly in the range.
  void add(std::uint64_t end, int state) {
    if (state != state_ && at_ > begin_) flush();
    state_ = state;
    at_ = std::min(end, bytes_);
  }
  void flush() {
    if (at_ > begin_) fn_({begin_, at_}, state_);
    begin_ = at_;
  }

 private:
  std::uint64_t bytes_;
  const std::function<void(ByteRange, int)>& fn_;
  std::uint64_t begin_ = 0;
  std::uint64_t at_ = 0;
  int state_ = page_unknown;
};

std::uint64_t hexadecimal(const char*& at, const char* end) {
  std::uint64_t value = 0;
  at = std::from_chars(at, end, value, 16).ptr;
  return value;
}

// Parses "N3=17" and "kernelpagesize_kB=4" in a line of numa_maps.
NumaMaps::Sums parse_sums(const std::string& line) {
  std::map<unsigned, std::uint64_t> pages;
  std::uint64_t page_bytes = 4096;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) continue;
    std::uint64_t value = 0;
    std::from_chars(word.data() + equals + 1, word.data() + word.size(), value);
    unsigned node = 0;
    if (word.starts_with("kernelpagesize_kB")) page_bytes = value * 1024;
    const auto parsed = std::from_chars(word.data() + 1, word.data() + equals, node);
    if (word[0] == 'N' && parsed.ec == std::errc() && parsed.ptr == word.data() + equals) pages[node] = value;
  }
  NumaMaps::Sums sums;
  for (const auto& [node, count] : pages) {
    sums.bytes_on_node[node] = count * page_bytes;
    sums.present_bytes += count * page_bytes;
  }
  return sums;
}

}  // namespace

int pages_refusal() {
  const int here = 0;  // the stack is certainly mapped
  void* page = const_cast<int*>(&here);
  int status = 0;
  return os::current().pages_status({&page, 1}, {&status, 1});
}

std::vector<int> ask_addresses(const std::vector<const std::byte*>& addresses) {
  const auto page_bytes = os::current().base_page_bytes();
  std::vector<void*> pages;
  pages.reserve(addresses.size());
  for (const std::byte* address : addresses)
    pages.push_back(
        reinterpret_cast<void*>(base::round_down(reinterpret_cast<std::uintptr_t>(address), page_bytes)));
  std::vector<int> states(pages.size());
  if (pages.empty()) return states;
  if (const int refused = os::current().pages_status(pages, states))
    throw SystemError("Placement: move_pages", refused);
  for (int& state : states) state = state_of(state);
  return states;
}

int ask_pages(const std::byte* data, std::uint64_t bytes, std::size_t page_bytes,
              const std::function<void(ByteRange, int)>& fn) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const std::uint64_t before = address % page_bytes;  // the bytes of the first page that are not in the range
  const std::uint64_t count = base::round_up(before + bytes, page_bytes) / page_bytes;
  std::vector<void*> pages(std::min<std::uint64_t>(count, pages_per_call));
  std::vector<int> status(pages.size());
  Joiner joiner(bytes, fn);
  for (std::uint64_t first = 0; first < count; first += pages_per_call) {
    const auto now = std::min<std::uint64_t>(count - first, pages_per_call);
    for (std::uint64_t i = 0; i < now; ++i)
      pages[i] = reinterpret_cast<void*>(address - before + (first + i) * page_bytes);
    const int refused = os::current().pages_status({pages.data(), now}, {status.data(), now});
    if (refused != 0) return refused;
    for (std::uint64_t i = 0; i < now; ++i)
      joiner.add((first + i + 1) * page_bytes - before, state_of(status[i]));
  }
  joiner.flush();
  return 0;
}

int NumaMaps::read(NumaMaps& maps, const void* data, std::size_t bytes) {
  if (bytes > 0) os::current().look_at_shared(data, bytes);
  // numa_maps states where a mapping begins and what it contains; maps states where it ends.
  const auto numa = os::current().read_text("/proc/self/numa_maps");
  if (!numa.ok()) return numa.error;
  const auto ends = os::current().read_text("/proc/self/maps");
  if (!ends.ok()) return ends.error;
  std::istringstream end_lines(ends.value);
  for (std::string line; std::getline(end_lines, line);) {
    const char* at = line.data();
    const auto begin = hexadecimal(at, line.data() + line.size());
    if (*at == '-') maps.by_begin_[begin].end = hexadecimal(++at, line.data() + line.size());
  }
  std::istringstream numa_lines(numa.value);
  for (std::string line; std::getline(numa_lines, line);) {
    const char* at = line.data();
    const auto mapping = maps.by_begin_.find(hexadecimal(at, line.data() + line.size()));
    if (mapping != maps.by_begin_.end()) mapping->second.sums = parse_sums(line);
  }
  return 0;
}

std::optional<NumaMaps::Sums> NumaMaps::sums(const void* begin, const void* end) const {
  Sums total;
  auto expected = reinterpret_cast<std::uint64_t>(begin);
  const auto last = reinterpret_cast<std::uint64_t>(end);
  while (expected < last) {
    const auto mapping = by_begin_.find(expected);
    if (mapping == by_begin_.end() || mapping->second.end > last) return std::nullopt;
    for (const auto& [node, bytes] : mapping->second.sums.bytes_on_node) total.bytes_on_node[node] += bytes;
    total.present_bytes += mapping->second.sums.present_bytes;
    expected = mapping->second.end;
  }
  return total;
}

}  // namespace nodewise
