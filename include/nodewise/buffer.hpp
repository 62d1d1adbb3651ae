// The memory of a dataset: one buffer whose pages lie on the NUMA nodes that a plan (plan.hpp) gives them. A
// team of workers, which are threads pinned to the nodes (team.hpp), places the buffer. A request that the
// system refuses is recorded as a degradation (degradation.hpp), or throws.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include <nodewise/degradation.hpp>
#include <nodewise/export.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/plan.hpp>
#include <nodewise/team.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

/// The method by which pages were placed. The methods ("rungs") are listed from best to worst, and the
/// library uses the best one that works. `mbind`: a memory policy tells the kernel the node of each page.
/// `first_touch`: without a policy, a page lies on the node of the worker that writes to it first. `none`:
/// the library did not place the pages.
enum class PlacingRung : unsigned char { mbind, first_touch, none };
/// The method by which the kernel was asked where pages are. `move_pages` answers for each page,
/// /proc/self/numa_maps gives only sums for each mapping, and with `none` the kernel could not be asked.
enum class AskingRung : unsigned char { move_pages, numa_maps, none };
NODEWISE_PUBLIC std::string_view to_string(PlacingRung rung) noexcept;
NODEWISE_PUBLIC std::string_view to_string(AskingRung rung) noexcept;

struct PlacedMemory;  // private to the library

/// The buffer of a dataset. Its memory is mapped, then bound (given a memory policy), and then populated: the
/// pinned workers of all nodes write to their pages at the same time. Batches are in Layout::rows until
/// convert_layout or assume_layout changes their layout. Movable, not copyable.
///
/// Thread class: immutable, except the bytes and the layout. Callers must synchronise accesses to the same
/// bytes if one is a write. Only one caller at a time may change the layout.
class NODEWISE_PUBLIC Buffer {
 public:
  /// Places zeroed memory for `plan`. The plan's base_offset must be 0. Its page_bytes must be the size of a
  /// base page or, if `kind` is hugetlb, of a hugetlb page. Throws InvalidArgument if base_offset is not 0,
  /// or if `kind` is hugetlb and the plan is for base pages; other wrong page sizes are not checked here.
  ///
  /// If a node has too little memory, or if pages of `kind` are not available, Binding::preferred records a
  /// degradation and Binding::required throws PlacementError. The same holds if the kernel refuses to
  /// interleave pages. If the kernel refuses to bind the pages of a shard (the part of one node), both
  /// bindings record a degradation; under `required`, BatchLoader then checks where the pages really lie.
  /// With either binding, PlacementError is thrown if `plan` is for another machine. It is also thrown if the
  /// machine, the nodes of the cpuset or the control group have too little memory; of pages from a hugetlb
  /// pool, the limits of the control group on such pages are checked. Throws SystemError if pages cannot be
  /// mapped or populated.
  static Buffer allocate(const Plan& plan, const Team& team, PageKind kind = PageKind::automatic);

  /// A function that writes the range `bytes` of the dataset to `at`.
  using Fill = std::function<void(std::byte* at, ByteRange bytes)>;
  /// Places memory and has `fill` write it, piece by piece. A piece is filled by the worker that has just
  /// populated its pages, while they are in the CPU's caches. Pieces are disjoint, cover the dataset, and
  /// begin at page borders, so they can begin in the middle of a row. `fill` is called from several threads
  /// at once. The first exception that it throws is rethrown here. If a hugetlb pool runs out while it is
  /// filled, and the binding is preferred, `fill` is called again for the whole dataset, in other memory.
  static Buffer allocate(const Plan& plan, const Team& team, PageKind kind, const Fill& fill);

  /// Places memory that is mapped but untouched, such as a new segment. Throws InvalidArgument unless `pages`
  /// begins at a page border, has pages of plan.page_bytes(), and has room for the dataset. In all other
  /// respects like allocate().
  static Buffer place(const Plan& plan, const Team& team, Pages pages, const Fill& fill = {});

  /// Uses memory that exists already, where it is: nothing is copied, moved or touched. Throws
  /// InvalidArgument if `pages` has no room for the dataset, or its address modulo plan.page_bytes() is not
  /// plan.base_offset(). Throws PlacementError if `plan` was not made for `topology`.
  static Buffer adopt(const Plan& plan, const Topology& topology, Pages pages);
  /// As adopt(), for memory that was placed before by the same plan, such as a segment. `rung` is the method
  /// that placed it.
  static Buffer adopt_placed(const Plan& plan, const Topology& topology, Pages pages, PlacingRung rung);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;

  const std::byte* data() const noexcept { return data_; }  ///< First byte of the dataset.
  /// The same, for writing. Throws InvalidArgument if the memory is read-only.
  std::byte* data();
  /// The address of byte `byte` of the dataset. Precondition: byte <= plan().dataset().total_bytes().
  const std::byte* address_of(std::uint64_t byte) const noexcept;
  /// The same, for writing. Throws InvalidArgument if the memory is read-only.
  std::byte* address_of(std::uint64_t byte);
  /// A view of a batch; nothing is copied. Elements can be written through the view if the memory is
  /// writable. Throws OutOfRange.
  AnyBatchView get_batch(std::uint64_t batch) & { return view(batch); }
  /// A read-only view. Throws OutOfRange.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// How the elements of each batch are arranged.
  Layout layout() const noexcept { return layout_; }
  /// Records how the elements are arranged, and changes nothing else. It is for callers that have arranged
  /// the elements themselves.
  void assume_layout(Layout layout) noexcept { layout_ = layout; }
  const Plan& plan() const noexcept { return plan_; }
  const Topology& topology() const noexcept { return topology_; }
  const Pages& pages() const noexcept { return pages_; }
  PlacingRung placing_rung() const noexcept { return placing_rung_; }
  const std::vector<Degradation>& degradations() const noexcept { return degradations_; }

 private:
  AnyBatchView view(std::uint64_t batch) const;
  Buffer(Plan plan, Topology topology, PlacedMemory memory);
  static void check_machine(const char* call, const Plan& plan, const Topology& topology);
  static void check_memory(const char* call, const Plan& plan, const Pages& pages);
  Plan plan_;
  Topology topology_;
  Pages pages_;
  std::byte* data_ = nullptr;  // points into pages_, not always to the first byte
  Layout layout_ = Layout::rows;
  PlacingRung placing_rung_ = PlacingRung::none;
  std::vector<Degradation> degradations_;
};

}  // namespace nodewise
