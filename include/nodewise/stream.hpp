// A stream gives the batches of a dataset in runs. A run is some consecutive batches in contiguous memory,
// which may lie anywhere. A lease keeps the memory of a run mapped and unchanged.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <nodewise/dataset.hpp>
#include <nodewise/export.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

/// A run, and the lease on its memory: the memory stays mapped and unchanged until the BatchLease is
/// destroyed. Movable, not copyable; a BatchLease that was moved from has no data. Thread class: value; it
/// may be destroyed on any thread.
class BatchLease {
 public:
  /// `data` points to the first byte of the first batch; the batches follow one another without gaps. The
  /// pointer owns the memory or a share of it, and is released when the lease ends. `node` is the logical
  /// index of the node on which the memory lies, if it is known.
  BatchLease(std::shared_ptr<const std::byte> data, BatchRange batches,
             std::optional<unsigned> node = std::nullopt) noexcept
      : data_(std::move(data)), batches_(batches), node_(node) {}
  BatchLease(BatchLease&&) noexcept = default;
  BatchLease& operator=(BatchLease&&) noexcept = default;

  const std::byte* data() const noexcept { return data_.get(); }
  BatchRange batches() const noexcept { return batches_; }  ///< The numbers of the batches in the dataset.
  std::optional<unsigned> node() const noexcept { return node_; }

 private:
  std::shared_ptr<const std::byte> data_;
  BatchRange batches_;
  std::optional<unsigned> node_;
};

/// Gives each batch of a dataset, or of a part of it, exactly once. The runs come in any order. Readers store
/// results by batch number, so results do not depend on this order. The library implements BufferStream
/// (buffer_stream.hpp); programs can implement others. Thread class: one thread at a time. While that thread
/// uses the stream, other threads may read runs and destroy leases.
class NODEWISE_PUBLIC BatchStream {
 public:
  virtual ~BatchStream();

  virtual const Dataset& dataset() const noexcept = 0;
  /// How the elements of each batch are arranged.
  virtual Layout layout() const noexcept { return Layout::rows; }
  /// Waits for the next run, which has at least one batch. Returns nullopt at the end. If a batch cannot be
  /// read, the call that would give it throws. By then, next() has returned every batch that comes before it
  /// in the order of the stream.
  virtual std::optional<BatchLease> next() = 0;
  /// Whether next() would give a run without waiting. Also false if next() would return nullopt or throw, or
  /// if a lease must be destroyed before there is memory for another run.
  virtual bool ready() = 0;
  /// Begins again with the same batches, perhaps in another order, and returns true. A stream that can be
  /// read only once always returns false, and keeps its present position.
  virtual bool rewind() = 0;

 protected:
  BatchStream() = default;
  BatchStream(const BatchStream&) = default;
  BatchStream& operator=(const BatchStream&) = default;
};

}  // namespace nodewise
