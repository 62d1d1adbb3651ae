#include "placement/judge.hpp"

#include <algorithm>

#include "pages/residency.hpp"

namespace nodewise {

using State = BatchRun::State;

std::optional<unsigned> node_of(const Buffer& buffer, int state) {
  return state < 0 ? std::nullopt : buffer.topology().node_of_os_index(static_cast<unsigned>(state));
}

ByteRange own_bytes(const Plan& plan, const Shard& shard) {
  if (plan.policy() == Policy::interleaved) return shard.bytes;
  const std::uint64_t offset = plan.base_offset();
  const auto in_dataset = [&](std::uint64_t at) {
    return std::clamp(at < offset ? 0 : at - offset, shard.bytes.begin, shard.bytes.end);
  };
  if (shard.pages.bytes() == 0) return {shard.bytes.end, shard.bytes.end};
  return {in_dataset(shard.pages.begin), in_dataset(shard.pages.end)};
}

State judge(const Buffer& buffer, const Shard& shard, int state) {
  if (state == page_absent) return State::absent;
  const auto node = node_of(buffer, state);
  if (!node) return State::unknown;
  if (buffer.plan().policy() == Policy::blocked) return *node == shard.node ? State::local : State::misplaced;
  const auto& shards = buffer.plan().shards();
  const auto is_target = [node](const Shard& any) { return any.node == *node; };
  return std::any_of(shards.begin(), shards.end(), is_target) ? State::on_target : State::misplaced;
}

std::uint64_t& bytes_in(PlacementBytes& bytes, State state) {
  switch (state) {
    case State::local:
      return bytes.local_bytes;
    case State::misplaced:
      return bytes.misplaced_bytes;
    case State::cut:
      return bytes.cut_bytes;
    case State::absent:
      return bytes.absent_bytes;
    case State::on_target:
      return bytes.on_target_bytes;
    case State::unknown:
      break;
  }
  return bytes.unknown_bytes;
}

}  // namespace nodewise
