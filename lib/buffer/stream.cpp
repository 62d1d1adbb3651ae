#include <nodewise/buffer_stream.hpp>

namespace nodewise {

BufferStream::BufferStream(const Buffer& buffer)
    : dataset_(buffer.plan().dataset()),
      layout_(buffer.layout()),
      pages_(std::make_shared<const Pages>(buffer.pages())) {
  for (const Shard& shard : buffer.plan().shards())
    if (shard.batches.count() > 0)
      runs_.push_back({buffer.address_of(shard.bytes.begin), shard.batches, shard.node});
}

bool BufferStream::ready() {
  return next_run_ < runs_.size();
}

std::optional<BatchLease> BufferStream::next() {
  if (!ready()) return std::nullopt;
  const Run& run = runs_[next_run_++];
  return BatchLease({pages_, run.data}, run.batches, run.node);
}

bool BufferStream::rewind() {
  next_run_ = 0;
  return true;
}

}  // namespace nodewise
