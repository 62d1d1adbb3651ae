#include "placement/ledger.hpp"

#include <algorithm>
#include <utility>

#include "placement/judge.hpp"

namespace nodewise {
namespace {

using State = BatchRun::State;

// Adds up the states of the bytes of one shard.
class Ledger {
 public:
  Ledger(const Buffer& buffer, std::size_t shard, BatchRuns& runs)
      : buffer_(buffer), runs_(runs), planned_(buffer.plan().shards()[shard]) {
    account.shard = shard;
    account.node = planned_.node;
    account.os_index = planned_.os_index;
    account.batches = planned_.batches;
    account.planned_bytes = planned_.bytes.bytes();
    account.bytes_on_node.resize(buffer.topology().nodes().size());
  }

  void cut(ByteRange bytes) {
    bytes_in(account, State::cut) += bytes.bytes();
    runs_.add(bytes, State::cut);
  }

  // `state`: the kernel's number of a node, page_absent or page_unknown.
  void page_run(ByteRange bytes, int state) { runs_.add(bytes, count(bytes.bytes(), state)); }

  // Uses sums over the shard's own mapping. The mapping may contain bytes that are not the shard's. These are
  // assumed to lie on the right node, so that no misplaced byte is hidden.
  void sums(ByteRange own, const NumaMaps::Sums& sums) {
    std::uint64_t left = own.bytes();
    State worst = State::local;
    const auto take = [&](std::uint64_t bytes, int state) {
      const auto taken = std::min(bytes, left);
      left -= taken;
      if (taken > 0) worst = worse(worst, count(taken, state));
    };
    for (const auto& [node, bytes] : sums.bytes_on_node)
      if (node != planned_.os_index) take(bytes, static_cast<int>(node));
    take(planned_.pages.bytes() - std::min(planned_.pages.bytes(), sums.present_bytes), page_absent);
    const auto home = sums.bytes_on_node.find(planned_.os_index);
    if (home != sums.bytes_on_node.end()) take(home->second, static_cast<int>(planned_.os_index));
    take(left, page_unknown);
    runs_.add(own, worst);
  }

  ShardPlacement account;

 private:
  State count(std::uint64_t bytes, int state) {
    if (const auto node = node_of(buffer_, state)) account.bytes_on_node[*node] += bytes;
    const State judged = judge(buffer_, planned_, state);
    bytes_in(account, judged) += bytes;
    return judged;
  }

  const Buffer& buffer_;
  BatchRuns& runs_;
  const Shard& planned_;
};

}  // namespace

ShardPlacement account_of(const Buffer& buffer, std::size_t index, const Asker& asker, BatchRuns& runs) {
  const Shard& shard = buffer.plan().shards()[index];
  Ledger ledger(buffer, index, runs);
  const ByteRange own = own_bytes(buffer.plan(), shard);
  if (own.begin > shard.bytes.begin) ledger.cut({shard.bytes.begin, own.begin});
  if (own.bytes() > 0) {
    const auto sums = asker.rung() == AskingRung::numa_maps ? asker.mapping_of(shard) : std::nullopt;
    if (sums)
      ledger.sums(own, *sums);
    else
      asker.runs(shard, own, [&](ByteRange bytes, int state) { ledger.page_run(bytes, state); });
  }
  if (own.end < shard.bytes.end) ledger.cut({own.end, shard.bytes.end});
  return std::move(ledger.account);
}

}  // namespace nodewise
