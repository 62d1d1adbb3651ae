// Blocks of any size, cut from large pieces of another resource, and kept for the next who asks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <memory_resource>

#include <nodewise/export.hpp>

namespace nodewise {

struct PoolOptions {
  /// What is taken from the upstream at once, where it has so much; else half, a quarter, ..., down to what
  /// the block needs. Blocks larger than half a chunk, rounded down to a power of two, are the upstream's.
  std::size_t chunk_bytes = std::size_t{64} << 20;
};

/// What a pool holds and did.
struct PoolCounts {
  std::uint64_t chunk_bytes = 0;  ///< Of the upstream, now.
  std::uint64_t live_blocks = 0;  ///< Given and not yet back, the upstream's own included.
  std::uint64_t live_bytes = 0;   ///< Of those, as rounded up to their size class.
  std::uint64_t allocations = 0;
  std::uint64_t upstream_allocations = 0;  ///< Of them those, chunks included, that asked the upstream.
};

/// A pool with size classes, four to each doubling, from 64 bytes on. A block that was given back is the next
/// one of its class to be given, whichever thread gives or takes it: it stays memory of this pool and its
/// node. Chunks are never given back before release() or the end.
/// Thread class: any thread. Cost: some tens of nanoseconds, unless the upstream must be asked.
class NODEWISE_PUBLIC PoolResource final : public std::pmr::memory_resource {
 public:
  /// Precondition: `upstream` outlives this, which no check could see. Throws InvalidArgument for chunks of
  /// less than 64 KiB.
  explicit PoolResource(std::pmr::memory_resource* upstream, const PoolOptions& options = {});
  /// Gives every chunk back: no block may be used any more.
  ~PoolResource() override;
  PoolResource(const PoolResource&) = delete;
  PoolResource& operator=(const PoolResource&) = delete;

  std::pmr::memory_resource* upstream() const noexcept;
  /// Takes as many bytes from the upstream, a chunk at least, as are missing from `bytes` never given so far:
  /// for so many bytes of blocks, as rounded up to their size classes, and those aside that are the
  /// upstream's own, it need not be asked. Throws what the upstream throws.
  void reserve(std::size_t bytes);
  /// The same, on a thread of its own; the future's get() throws what the upstream threw. The future must be
  /// gone or ready before the pool goes; it waits where it goes. Throws SystemError where no thread can be
  /// had.
  [[nodiscard]] std::future<void> reserve_async(std::size_t bytes);
  /// Gives all chunks back, if no block is out; whether none was.
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
