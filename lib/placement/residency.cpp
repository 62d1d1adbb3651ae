// Where a range of memory lies, without comparing it with a plan.
#include <algorithm>

#include <nodewise/error.hpp>
#include <nodewise/placement.hpp>

#include "os/os.hpp"
#include "pages/residency.hpp"

namespace nodewise {

Residency residency(const Topology& topology, const void* data, std::size_t bytes) {
  Residency residency;
  residency.bytes_on_node.resize(topology.nodes().size());
  const auto add = [&](ByteRange range, int state) {
    const auto node = state < 0 ? std::nullopt : topology.node_of_os_index(static_cast<unsigned>(state));
    auto& count = state == page_absent ? residency.absent_bytes
                  : node               ? residency.bytes_on_node[*node]
                                       : residency.unknown_bytes;
    count += range.bytes();
  };
  const auto* begin = static_cast<const std::byte*>(data);
  if (can_ask_pages()) {
    residency.asking_rung = AskingRung::move_pages;
    if (const int refused = ask_pages(begin, bytes, os::current().base_page_bytes(), add))
      throw SystemError("residency: move_pages", refused);
    return residency;
  }
  NumaMaps maps;
  const auto sums = NumaMaps::read(maps, begin, bytes) == 0 ? maps.sums(begin, begin + bytes) : std::nullopt;
  if (!sums) {
    residency.unknown_bytes = bytes;
    return residency;
  }
  residency.asking_rung = AskingRung::numa_maps;
  for (const auto& [node, on_node] : sums->bytes_on_node) add({0, on_node}, static_cast<int>(node));
  add({0, bytes - std::min<std::uint64_t>(bytes, sums->present_bytes)}, page_absent);
  return residency;
}

}  // namespace nodewise
