#include "placement/asker.hpp"

#include <algorithm>

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "placement/judge.hpp"

namespace nodewise {

Asker::Asker(const Buffer& buffer) : buffer_(buffer) {
  const int pages = pages_refusal();
  if (pages == 0) {
    rung_ = AskingRung::move_pages;
    return;
  }
  const bool apart = buffer.plan().policy() == Policy::blocked;
  lost(DegradationKind::move_pages_refused, "move_pages", pages,
       apart ? "; shards are counted as whole mappings" : "; interleaved pages cannot be counted");
  const int maps = NumaMaps::read(maps_, buffer_.data(), buffer_.plan().dataset().total_bytes());
  if (maps == 0 && apart) rung_ = AskingRung::numa_maps;
  if (maps != 0)
    lost(DegradationKind::numa_maps_unreadable, "/proc/self/numa_maps", maps, "; nothing can be verified");
}

std::optional<NumaMaps::Sums> Asker::mapping_of(const Shard& shard) const {
  const std::byte* first_page = buffer_.data() - buffer_.plan().base_offset();
  return maps_.sums(first_page + shard.pages.begin, first_page + shard.pages.end);
}

void Asker::runs(const Shard& shard, ByteRange range, const std::function<void(ByteRange, int)>& fn) const {
  if (range.bytes() == 0) return;
  const auto shifted = [&](ByteRange run, int state) {
    fn({run.begin + range.begin, run.end + range.begin}, state);
  };
  if (rung_ == AskingRung::move_pages) {
    const int refused =
        ask_pages(buffer_.address_of(range.begin), range.bytes(), buffer_.pages().page_bytes(), shifted);
    if (refused != 0) throw SystemError("Placement: move_pages", refused);
    return;
  }
  const auto sums = rung_ == AskingRung::numa_maps ? mapping_of(shard) : std::nullopt;
  const ByteRange own = own_bytes(buffer_.plan(), shard);
  const ByteRange known{std::max(range.begin, own.begin), std::min(range.end, own.end)};
  const bool one_node = sums && sums->bytes_on_node.size() == 1 && sums->present_bytes == shard.pages.bytes();
  if (!one_node || known.begin >= known.end) return fn(range, page_unknown);
  // Cut bytes lie in the mapping of a neighbour, about which nothing is known here.
  if (range.begin < known.begin) fn({range.begin, known.begin}, page_unknown);
  fn(known, static_cast<int>(sums->bytes_on_node.begin()->first));
  if (known.end < range.end) fn({known.end, range.end}, page_unknown);
}

void Asker::lost(DegradationKind kind, const char* what, int error, const char* consequence) {
  degradations_.push_back({kind, base::text(what, ": ", base::errno_text(error), consequence), error});
}

}  // namespace nodewise
