// Batches from any place: a stream gives runs of consecutive batches, each run in contiguous memory.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <nodewise/dataset.hpp>
#include <nodewise/export.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

/// A run: consecutive batches in contiguous memory, which stays mapped and unchanged as long as the lease
/// lives. Movable, not copyable; after a move the source has no data. Thread class: value; it may be
/// destroyed on any thread.
class BatchLease {
 public:
  /// `data` points to the first byte of the first of `batches`, which follow one another without gaps. The
  /// pointer owns that memory or a share of it; the lease releases the pointer when it ends. `node`: the
  /// logical index of the node that the memory lies on, where that is known.
  BatchLease(std::shared_ptr<const std::byte> data, BatchRange batches,
             std::optional<unsigned> node = std::nullopt) noexcept
      : data_(std::move(data)), batches_(batches), node_(node) {}
  BatchLease(BatchLease&&) noexcept = default;
  BatchLease& operator=(BatchLease&&) noexcept = default;

  const std::byte* data() const noexcept { return data_.get(); }
  BatchRange batches() const noexcept { return batches_; }  ///< By their numbers in the dataset.
  std::optional<unsigned> node() const noexcept { return node_; }

 private:
  std::shared_ptr<const std::byte> data_;
  BatchRange batches_;
  std::optional<unsigned> node_;
};

/// Gives batches of a dataset, all or some of them, run by run and in any order, each batch once. Readers
/// store results by the numbers of batches, so the order of the runs does not change a result. Each source of
/// batches has its own implementation; the library's is BufferStream. Thread class: one thread at a time;
/// other threads may read what was leased, and end leases, at any time.
class NODEWISE_PUBLIC BatchStream {
 public:
  virtual ~BatchStream();

  virtual const Dataset& dataset() const noexcept = 0;
  /// How the elements of each batch are arranged.
  virtual Layout layout() const noexcept { return Layout::rows; }
  /// Waits for the next run, which has at least one batch; returns nullopt at the end. If a batch cannot be
  /// read, this throws in the place of that batch: all batches before it have been given.
  virtual std::optional<BatchLease> next() = 0;
  /// Whether next() would give a run without waiting. False also where next() would end or throw, and where a
  /// lease must end before there is memory for another run.
  virtual bool ready() = 0;
  /// Begins again with the same batches, perhaps in another order. A stream that can be read only once
  /// returns false, even before its first run, and its position does not change.
  virtual bool rewind() = 0;

 protected:
  BatchStream() = default;
  BatchStream(const BatchStream&) = default;
  BatchStream& operator=(const BatchStream&) = default;
};

}  // namespace nodewise
