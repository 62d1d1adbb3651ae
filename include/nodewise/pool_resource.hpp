// A pool cuts blocks of any size from large chunks of another resource (its upstream), and keeps freed blocks
// for reuse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <memory_resource>

#include <nodewise/export.hpp>

namespace nodewise {

struct PoolOptions {
  /// The bytes of a chunk. A chunk is taken from the upstream in one call. If the upstream has fewer bytes,
  /// the pool asks for half, then for a quarter, and so on, as long as the block fits and the chunk has at
  /// least 64 KiB. Blocks that are larger than half a chunk come directly from the upstream (that half is
  /// rounded down to a power of two).
  std::size_t chunk_bytes = std::size_t{64} << 20;
};

/// What a pool holds, and what it has done.
struct PoolCounts {
  std::uint64_t chunk_bytes = 0;  ///< The bytes of the chunks that the pool holds now.
  /// Blocks that are in use, including those directly from the upstream.
  std::uint64_t live_blocks = 0;
  std::uint64_t live_bytes = 0;  ///< Their bytes. A block that is part of a chunk counts with its size class.
  std::uint64_t allocations = 0;
  std::uint64_t upstream_allocations = 0;  ///< Calls to the upstream, for chunks and for blocks.
};

/// A pool with size classes: four from each power of two to the next, from 64 bytes up. A block that any
/// thread frees is kept for later allocations of its class, so it stays in this pool and on its node. Chunks
/// go back to the upstream only in release() and in the destructor. Thread class: any thread. Cost: some tens
/// of nanoseconds, unless the upstream is called.
class NODEWISE_PUBLIC PoolResource final : public std::pmr::memory_resource {
 public:
  /// Precondition, which cannot be checked: `upstream` outlives the pool. Throws InvalidArgument if
  /// chunk_bytes is less than 64 KiB.
  explicit PoolResource(std::pmr::memory_resource* upstream, const PoolOptions& options = {});
  /// Gives every chunk back to the upstream, and every block that came directly from it. Precondition: no
  /// block is used afterwards.
  ~PoolResource() override;
  PoolResource(const PoolResource&) = delete;
  PoolResource& operator=(const PoolResource&) = delete;

  std::pmr::memory_resource* upstream() const noexcept;
  /// After this, blocks can be allocated without a call to the upstream, in any order and by any threads,
  /// until their sizes, each rounded up to its size class, exceed `bytes` in sum. This does not hold for
  /// blocks that come directly from the upstream. If no unused piece is long enough, the upstream is called
  /// once, for `bytes` plus less than 1 MiB, or for chunk_bytes if that is more. Throws what the upstream
  /// throws.
  void reserve(std::size_t bytes);
  /// As reserve(), but in a thread of its own. The get() of the future throws what the upstream threw; the
  /// destructor of the future waits for the thread. Precondition: the future is ready or destroyed before the
  /// pool is destroyed. Throws SystemError if no thread can be started.
  [[nodiscard]] std::future<void> reserve_async(std::size_t bytes);
  /// Gives all chunks back if no block is in use; returns whether it did.
  bool release() noexcept;

  PoolCounts counts() const;

 private:
  /// If the upstream throws, throws the same and changes nothing.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nodewise
