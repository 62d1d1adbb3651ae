// Small resources that stand between others: a limit, an order of spilling, a check, an arena.
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

/// Lets no more than so many bytes be out at once, as they are asked for: what its upstream rounds them up to
/// is not its business, so it stands between a pool and what gives whole pages. Thread class: any thread.
class NODEWISE_PUBLIC LimitedResource final : public std::pmr::memory_resource {
 public:
  /// Precondition: `upstream` outlives this, which no check could see; here and below.
  LimitedResource(std::pmr::memory_resource* upstream, std::uint64_t limit_bytes) noexcept
      : upstream_(upstream), limit_bytes_(limit_bytes) {}

  std::pmr::memory_resource* upstream() const noexcept { return upstream_; }
  std::uint64_t limit_bytes() const noexcept { return limit_bytes_; }
  std::uint64_t live_bytes() const noexcept { return live_bytes_; }
  /// The most that ever was out at once.
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

/// Asks several resources, in a declared order, the next one where one has no more (std::bad_alloc,
/// OutOfMemory included), and counts what came from where. Thread class: any thread.
class NODEWISE_PUBLIC SpillResource final : public std::pmr::memory_resource {
 public:
  /// Throws InvalidArgument for none.
  explicit SpillResource(std::vector<std::pmr::memory_resource*> order);

  const std::vector<std::pmr::memory_resource*>& order() const noexcept { return order_; }
  /// What is out now, of each in the order; all but the first is spilled.
  std::vector<std::uint64_t> live_bytes() const;
  /// What ever came from any but the first.
  std::uint64_t spilled_bytes() const;

 private:
  /// Throws OutOfMemory, with what each of them said.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  void keep(void* block, std::size_t bytes, std::size_t from);

  const std::vector<std::pmr::memory_resource*> order_;
  mutable std::mutex mutex_;
  std::map<void*, std::size_t> spilled_;  // where blocks are from that are not the first one's
  std::vector<std::uint64_t> live_bytes_;
  std::uint64_t spilled_bytes_ = 0;
};

/// Cuts blocks one after the other from chunks, and takes none back until reset(), which keeps the chunks for
/// the next epoch. Blocks that no chunk holds come from the upstream, and go back at reset(). Thread class:
/// one thread at a time.
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
  /// Every block ends; the chunks are cut again from the beginning.
  void reset() noexcept;
  /// The same, and the chunks go back to the upstream too.
  void release() noexcept;
  /// What was cut since the last reset(), gaps included.
  std::uint64_t used_bytes() const noexcept;
  /// Bytes of the chunks.
  std::uint64_t chunk_bytes() const noexcept;

 private:
  static constexpr std::size_t chunk_alignment = alignof(std::max_align_t);
  struct Large {
    void* at;
    std::size_t bytes, alignment;
  };
  /// Throws what the upstream throws; then nothing is changed.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  void* cut(std::size_t chunk, std::size_t at, std::size_t bytes) noexcept;
  void* allocate_large(std::size_t bytes, std::size_t alignment);

  std::pmr::memory_resource* const upstream_;
  const std::size_t chunk_bytes_;
  std::vector<std::byte*> chunks_;
  std::vector<Large> large_;
  std::size_t current_ = 0;        // of the chunks
  std::size_t used_ = 0;           // of that one
  std::uint64_t used_before_ = 0;  // of those before it, and of large ones
};

/// For tests: looks, when a block comes back, whether it is out, of that size and alignment, and whether
/// something was written before or behind it. live_blocks() says what did not come back; at those it does not
/// look. Fills blocks with a pattern when they come and when they go, so that nobody lives on zeros or on
/// what was. Thread class: any thread. Cost: a lock and two fills a block.
class NODEWISE_PUBLIC CheckingResource final : public std::pmr::memory_resource {
 public:
  explicit CheckingResource(std::pmr::memory_resource* upstream) noexcept : upstream_(upstream) {}

  std::pmr::memory_resource* upstream() const noexcept { return upstream_; }
  /// What was found so far, in words; a block given back wrongly is not passed on.
  std::vector<std::string> faults() const;
  std::uint64_t live_blocks() const;
  std::uint64_t live_bytes() const;

 private:
  struct Block {
    std::size_t bytes, alignment;
    std::uint64_t number;  // of all that ever were, from 1
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
