#include "buffer/free_memory.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {
namespace {

os::Result<std::string> meminfo_of(const Node& node) {
  return os::current().read_text(base::text("/sys/devices/system/node/node", node.os_index, "/meminfo"));
}

}  // namespace

std::optional<std::uint64_t> free_bytes_now(const Node& node) {
  const auto meminfo = meminfo_of(node);
  return meminfo.ok() ? std::optional(os::free_bytes(meminfo.value)) : std::nullopt;
}

std::optional<std::uint64_t> unused_bytes_now(const Node& node) {
  const auto meminfo = meminfo_of(node);
  if (!meminfo.ok()) return std::nullopt;
  // The kernel turns to other nodes before the last page is used: at its low watermark, which is below this
  // value.
  const auto watermark =
      2048 * os::number_in("/proc/sys/vm/min_free_kbytes").value_or(0) + node.memory_bytes / 50;
  const auto free = os::meminfo_bytes(meminfo.value, "MemFree:");
  return free - std::min(free, watermark);
}

std::optional<std::uint64_t> free_pool_bytes_now(const Node& node, std::size_t page_bytes) {
  const auto pages =
      os::number_in(base::text("/sys/devices/system/node/node", node.os_index, "/hugepages/hugepages-",
                               page_bytes / 1024, "kB/free_hugepages"));
  return pages ? std::optional(*pages * page_bytes) : std::nullopt;
}

}  // namespace nodewise
