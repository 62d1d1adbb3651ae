// The batches of a buffer (buffer.hpp) as a stream (stream.hpp).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/export.hpp>
#include <nodewise/stream.hpp>

namespace nodewise {

/// Gives one run for each shard that has batches (a shard is the part of the data that one node owns). The
/// node of a run is the node of its shard; if the plan is interleaved, it is only the node whose workers
/// compute the batches. Leases keep the pages of the buffer mapped, even after the buffer and the stream are
/// destroyed. Thread class: as BatchStream. Cost: O(shards).
class NODEWISE_PUBLIC BufferStream final : public BatchStream {
 public:
  explicit BufferStream(const Buffer& buffer);

  const Dataset& dataset() const noexcept override { return dataset_; }
  Layout layout() const noexcept override { return layout_; }
  std::optional<BatchLease> next() override;
  bool ready() override;
  bool rewind() override;

 private:
  struct Run {
    const std::byte* data;
    BatchRange batches;
    unsigned node;
  };
  Dataset dataset_;
  Layout layout_;
  std::shared_ptr<const Pages> pages_;
  std::vector<Run> runs_;
  std::size_t next_run_ = 0;
};

}  // namespace nodewise
