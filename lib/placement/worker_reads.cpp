// The local and remote bytes that each worker of a computation read.
#include <algorithm>

#include <nodewise/placement.hpp>

#include "placement/asker.hpp"
#include "placement/judge.hpp"

namespace nodewise {

std::vector<WorkerReads> worker_reads(const Buffer& buffer, const Means& means) {
  std::vector<WorkerReads> reads;
  for (const Worker& worker : means.team) reads.push_back({worker, 0, 0, 0});
  const Asker asker(buffer);
  const auto& shards = buffer.plan().shards();
  for (const ReadRange& range : means.reads) {
    WorkerReads& reader = reads.at(range.worker);
    for (const Shard& shard : shards) {
      const ByteRange part{std::max(range.bytes.begin, shard.bytes.begin),
                           std::min(range.bytes.end, shard.bytes.end)};
      if (part.begin >= part.end) continue;
      asker.runs(shard, part, [&](ByteRange bytes, int state) {
        const auto node = node_of(buffer, state);
        auto& count = !node                         ? reader.unknown_bytes
                      : *node == reader.worker.node ? reader.local_bytes
                                                    : reader.remote_bytes;
        count += bytes.bytes();
      });
    }
  }
  return reads;
}

}  // namespace nodewise
