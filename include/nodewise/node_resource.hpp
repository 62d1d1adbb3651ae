// Memory of one node as a std::pmr::memory_resource, for containers and for other resources.
//
// Resources are stacked. Each takes its memory from the one below it, which is called its upstream:
//
//     NodeResource node(team, 0);                    // whole pages of node 0
//     LimitedResource limited(&node, 8ull << 30);    // no more than 8 GiB of them
//     PoolResource pool(&limited);                   // blocks of any size, for any thread
//     std::pmr::vector<float> batch(1 << 20, &pool);
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <string>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/export.hpp>
#include <nodewise/placement.hpp>
#include <nodewise/team.hpp>

namespace nodewise {

/// The lowest resource of a stack. It gives whole pages of one node, placed as a dataset is under
/// Binding::required: they are bound before they are touched, populated by workers of the node, and verified.
/// So using a block causes no page fault and reads no other node. Each block is a mapping of its own; put a
/// PoolResource above it for small blocks. Deallocating a pointer that is not one of its blocks does nothing.
/// Thread class: any thread. Cost of a block: zeroing its pages, and about 0.3 ms.
class NODEWISE_PUBLIC NodeResource final : public std::pmr::memory_resource {
 public:
  /// `node`: logical index. The pages are populated by the team's workers on that node or, if the node has no
  /// workers, by the workers on the nearest node that has some. Throws OutOfRange.
  NodeResource(const Team& team, unsigned node, PageKind pages = PageKind::automatic);
  /// Unmaps all blocks that were not given back.
  ~NodeResource() override;
  NodeResource(const NodeResource&) = delete;
  NodeResource& operator=(const NodeResource&) = delete;

  unsigned node() const noexcept { return node_; }
  /// The bytes that are mapped now, in whole pages.
  std::uint64_t mapped_bytes() const;
  /// Where these bytes lie now, as the kernel says.
  PlacementBytes placement() const;
  /// The degradations of all blocks, each kind once.
  std::vector<Degradation> degradations() const;

 private:
  /// Throws OutOfMemory, which names the node, the bytes that were requested, the bytes that are free, and
  /// the cause. Throws InvalidArgument if the alignment is larger than a page. If the kernel refuses to bind
  /// pages, or to say where they are, a degradation is recorded.
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  std::size_t page_bytes() const;
  Plan plan_of(std::size_t bytes) const;
  Buffer place(std::size_t bytes);
  void keep(const std::vector<Degradation>& lost);

  const Team team_;
  const unsigned node_;
  const PageKind pages_;
  mutable std::mutex mutex_;
  std::map<void*, std::shared_ptr<const Buffer>> blocks_;
  std::uint64_t mapped_bytes_ = 0;
  std::map<DegradationKind, Degradation> degradations_;
};

}  // namespace nodewise
