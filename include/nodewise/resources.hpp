// Memory resources that take their memory from others (their upstream): a limit, an order of several
// resources, an arena, and a check for tests.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <mutex>
#include <string>
#include <vector>

#include <nodewise/export.hpp>

namespace nodewise {

/// Limits the bytes that are in use at one time. It counts bytes as requested, before the upstream rounds
/// them up. Put it between a pool and the resource that gives whole pages. Thread class: any thread.
class NODEWISE_PUBLIC LimitedResource final : public std::pmr::memory_resource {
 public:
  /// Precondition, which cannot be checked: `upstream` outlives this resource. The same holds for the
  /// resources below.
  LimitedResource(std::pmr::memory_resource* upstream, std::uint64_t limit_bytes) noexcept
      : upstream_(upstream), limit_bytes_(limit_bytes) {}

  std::pmr::memory_resource* upstream() const noexcept { return upstream_; }
  std::uint64_t limit_bytes() const noexcept { return limit_bytes_; }
  std::uint64_t live_bytes() const noexcept { return live_bytes_; }
  /// The most bytes that were in use at one time.
  std::uint64_t peak_bytes() const noexcept { return peak_bytes_; }

 private:
  /// Throws OutOfMemory at the limit.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::pmr::memory_resource* const upstream_;
  const std::uint64_t limit_bytes_;
  std::atomic<std::uint64_t> live_bytes_{0};
  std::atomic<std::uint64_t> peak_bytes_{0};
};

/// Asks several resources in a fixed order: if one throws std::bad_alloc (OutOfMemory is one), it asks the
/// next. It counts the bytes that came from each resource. Thread class: any thread.
class NODEWISE_PUBLIC SpillResource final : public std::pmr::memory_resource {
 public:
  /// Throws InvalidArgument if `order` is empty.
  explicit SpillResource(std::vector<std::pmr::memory_resource*> order);

  const std::vector<std::pmr::memory_resource*>& order() const noexcept { return order_; }
  /// The bytes that are in use from each resource, in order. The bytes of all but the first resource are
  /// called spilled.
  std::vector<std::uint64_t> live_bytes() const;
  /// All bytes that ever came from a resource other than the first.
  std::uint64_t spilled_bytes() const;

 private:
  /// Throws OutOfMemory, with the messages of all resources.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  void keep(void* block, std::size_t bytes, std::size_t from);

  const std::vector<std::pmr::memory_resource*> order_;
  mutable std::mutex mutex_;
  std::map<void*, std::size_t> spilled_;  // the resource of each block that is not the first's
  std::vector<std::uint64_t> live_bytes_;
  std::uint64_t spilled_bytes_ = 0;
};

/// An arena: it cuts blocks one after the other from chunks. Freed blocks are not reused before reset(),
/// which keeps the chunks. Blocks that are larger than a chunk come from the upstream, and go back to it at
/// reset(). Thread class: one thread at a time.
class NODEWISE_PUBLIC ArenaResource final : public std::pmr::memory_resource {
 public:
  explicit ArenaResource(std::pmr::memory_resource* upstream,
                         std::size_t chunk_bytes = std::size_t{16} << 20) noexcept
      : upstream_(upstream), chunk_bytes_(chunk_bytes) {}
  /// Gives all memory back to the upstream.
  ~ArenaResource() override;
  ArenaResource(const ArenaResource&) = delete;
  ArenaResource& operator=(const ArenaResource&) = delete;

  std::pmr::memory_resource* upstream() const noexcept { return upstream_; }
  /// Invalidates all blocks, and cuts the chunks again from the beginning.
  void reset() noexcept;
  /// As reset(), but also gives the chunks back to the upstream.
  void release() noexcept;
  /// The bytes that were cut since the last reset(), including gaps for alignment.
  std::uint64_t used_bytes() const noexcept;
  /// The bytes of all chunks.
  std::uint64_t chunk_bytes() const noexcept;

 private:
  static constexpr std::size_t chunk_alignment = alignof(std::max_align_t);
  struct Large {
    void* at;
    std::size_t bytes, alignment;
  };
  /// Throws what the upstream throws, and then changes nothing.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  void* cut(std::size_t chunk, std::size_t at, std::size_t bytes) noexcept;
  void* allocate_large(std::size_t bytes, std::size_t alignment);

  std::pmr::memory_resource* const upstream_;
  const std::size_t chunk_bytes_;
  std::vector<std::byte*> chunks_;
  std::vector<Large> large_;
  std::size_t current_ = 0;        // index of the chunk that is being cut
  std::size_t used_ = 0;           // bytes of that chunk that are used
  std::uint64_t used_before_ = 0;  // bytes of the chunks before it, and of large blocks
};

/// For tests. When a block is freed, this resource checks that the block is in use, that its size and
/// alignment are right, and that nothing was written directly before or behind it. Blocks that are never
/// freed are not checked, but live_blocks() counts them. Each block is filled with a pattern when it is
/// allocated and again when it is freed, so that no program can rely on zeros or on old contents. Thread
/// class: any thread. Cost: a lock, and two fills of each block.
class NODEWISE_PUBLIC CheckingResource final : public std::pmr::memory_resource {
 public:
  explicit CheckingResource(std::pmr::memory_resource* upstream) noexcept : upstream_(upstream) {}

  std::pmr::memory_resource* upstream() const noexcept { return upstream_; }
  /// The faults found so far, as text. If a freed block is not in use, or has another size or alignment, it
  /// is not passed on to the upstream.
  std::vector<std::string> faults() const;
  std::uint64_t live_blocks() const;
  std::uint64_t live_bytes() const;

 private:
  struct Block {
    std::size_t bytes, alignment;
    std::uint64_t number;  // counts all blocks ever given, from 1
  };
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::pmr::memory_resource* const upstream_;
  mutable std::mutex mutex_;
  std::map<void*, Block> live_;
  std::uint64_t blocks_ = 0;
  std::vector<std::string> faults_;
};

}  // namespace nodewise
