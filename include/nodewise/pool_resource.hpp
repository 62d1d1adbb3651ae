// Blocks of any size, cut from large chunks of another resource, and kept for reuse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <memory_resource>

#include <nodewise/export.hpp>

namespace nodewise {

struct PoolOptions {
  /// Bytes that are taken from the upstream at once. If the upstream has fewer, half of that is asked for,
  /// then a quarter, and so on down to what the block needs. A block larger than half of chunk_bytes, that
  /// half rounded down to a power of two, comes from the upstream directly.
  std::size_t chunk_bytes = std::size_t{64} << 20;
};

/// What a pool holds, and what it has done.
struct PoolCounts {
  std::uint64_t chunk_bytes = 0;  ///< Bytes of the chunks that it holds now.
  std::uint64_t live_blocks =
      0;  ///< Blocks given and not yet given back, those directly from the upstream included.
  std::uint64_t live_bytes = 0;  ///< Bytes of those blocks, rounded up to their size classes.
  std::uint64_t allocations = 0;
  std::uint64_t upstream_allocations = 0;  ///< Calls to the upstream, for chunks and for blocks.
};

/// A pool with size classes, four to each doubling, from 64 bytes on. A block that is given back, by any
/// thread, is kept for later allocations of its class, so it stays memory of this pool and its node. Chunks
/// go back to the upstream only by release() or the destructor. Thread class: any thread. Cost: some tens of
/// nanoseconds, unless the upstream is called.
class NODEWISE_PUBLIC PoolResource final : public std::pmr::memory_resource {
 public:
  /// Precondition: `upstream` outlives this, which no check could see. Throws InvalidArgument for chunks of
  /// less than 64 KiB.
  explicit PoolResource(std::pmr::memory_resource* upstream, const PoolOptions& options = {});
  /// Gives every chunk back to the upstream. Precondition: no block is used any more.
  ~PoolResource() override;
  PoolResource(const PoolResource&) = delete;
  PoolResource& operator=(const PoolResource&) = delete;

  std::pmr::memory_resource* upstream() const noexcept;
  /// Makes at least `bytes` bytes of unused chunk memory available; if there is less, takes the rest from the
  /// upstream in one call, at least chunk_bytes. Afterwards blocks of up to `bytes` bytes in total, each
  /// rounded up to its size class, need no call to the upstream; blocks that come from the upstream directly
  /// do not count. Throws what the upstream throws.
  void reserve(std::size_t bytes);
  /// As reserve(), on a thread of its own; the future's get() throws what the upstream threw. The future's
  /// destructor waits for the thread. Precondition: the future is ready or destroyed before the pool is
  /// destroyed. Throws SystemError where no thread can be started.
  [[nodiscard]] std::future<void> reserve_async(std::size_t bytes);
  /// Gives all chunks back if no block is outstanding; returns whether that was so.
  bool release() noexcept;

  PoolCounts counts() const;

 private:
  /// Throws what the upstream throws; then nothing is changed.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nodewise
