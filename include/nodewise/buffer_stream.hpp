// A buffer's batches as a stream.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/export.hpp>
#include <nodewise/stream.hpp>

namespace nodewise {

/// One run for each shard that has batches, on the node that the plan gives it (of interleaved buffers: the
/// node whose workers compute it). Its leases keep the buffer's pages alive, beyond the life of the buffer
/// and the stream. Thread class: as BatchStream. Cost: O(shards).
class NODEWISE_PUBLIC BufferStream final : public BatchStream {
 public:
  explicit BufferStream(const Buffer& buffer);

  const Dataset& dataset() const noexcept override { return dataset_; }
  Layout layout() const noexcept override { return layout_; }
  std::optional<BatchLease> next() override;
  bool ready() override;
  bool rewind() override;

 private:
  Dataset dataset_;
  std::vector<Shard> shards_;
  const std::byte* data_;
  Layout layout_;
  std::shared_ptr<const Pages> pages_;
  std::size_t next_shard_ = 0;
};

}  // namespace nodewise
