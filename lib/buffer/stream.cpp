#include <nodewise/buffer_stream.hpp>

#include <algorithm>

namespace nodewise {

BufferStream::BufferStream(const Buffer& buffer)
    : dataset_(buffer.plan().dataset()),
      shards_(buffer.plan().shards()),
      data_(buffer.data()),
      layout_(buffer.layout()),
      pages_(std::make_shared<const Pages>(buffer.pages())) {}

bool BufferStream::ready() {
  while (next_shard_ < shards_.size() && shards_[next_shard_].batches.count() == 0) ++next_shard_;
  return next_shard_ < shards_.size();
}

std::optional<BatchLease> BufferStream::next() {
  if (!ready()) return std::nullopt;
  const Shard& shard = shards_[next_shard_++];
  return BatchLease({pages_, data_ + shard.bytes.begin}, shard.batches, shard.node);
}

bool BufferStream::rewind() {
  next_shard_ = 0;
  return true;
}

}  // namespace nodewise
