// A dataset's memory, placed as its plan says.
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

/// The rung of placing that worked.
enum class PlacingRung : unsigned char { mbind, first_touch, none };
/// The rung that worked for asking the kernel where pages are.
enum class AskingRung : unsigned char { move_pages, numa_maps, none };
NODEWISE_PUBLIC std::string_view to_string(PlacingRung rung) noexcept;
NODEWISE_PUBLIC std::string_view to_string(AskingRung rung) noexcept;

struct PlacedMemory;  // private to the library

/// The one flat buffer: mapped, bound before any touch, then populated by the pinned workers of each node,
/// all nodes at once. Its batches are in Layout::rows, until convert_layout or assume_layout says otherwise.
/// Movable, not copyable. Thread class: immutable, except the bytes, to which the caller orders concurrent
/// access, and the layout, which one caller at a time may change.
class NODEWISE_PUBLIC Buffer {
 public:
  /// Zeroed memory for `plan`. Precondition: plan.page_bytes() is the page of `kind` and base_offset is 0.
  /// Under Binding::required throws PlacementError where a node lacks the bytes or the page kind cannot be
  /// had; under `preferred` such things become degradations. If the kernel refuses to bind a shard, that is a
  /// degradation under `required` too; BatchLoader then asks Placement where the pages lie, and throws if
  /// they lie elsewhere. A refused interleaving throws PlacementError under `required`. Throws PlacementError
  /// under either binding if the machine, the cpuset's nodes or the control group have too little memory.
  /// Throws SystemError, and InvalidArgument if `kind` is hugetlb and the plan is for base pages.
  static Buffer allocate(const Plan& plan, const Team& team, PageKind kind = PageKind::automatic);

  /// Writes the range `bytes` of the dataset to `at`.
  using Fill = std::function<void(std::byte* at, ByteRange bytes)>;
  /// Memory that `fill` fills, piece by piece: each by the worker that has just made its pages present, while
  /// the caches hold them. Pieces are disjoint, cover the dataset, and begin at multiples of the page. `fill`
  /// is called from several threads at once; the first exception that it throws is thrown here.
  static Buffer allocate(const Plan& plan, const Team& team, PageKind kind, const Fill& fill);

  /// Untouched memory, such as a new segment's, placed as by `allocate`. Precondition: it begins at a page,
  /// holds plan.mapped_bytes() and its pages are plan.page_bytes(), else InvalidArgument. Throws as allocate.
  static Buffer place(const Plan& plan, const Team& team, Pages pages, const Fill& fill = {});

  /// Memory that exists already, used as it is: not copied, moved, aligned or touched. Throws InvalidArgument
  /// unless the address of `pages` modulo plan.page_bytes() is plan.base_offset() and `pages` has at least
  /// plan.dataset().total_bytes() bytes; PlacementError where the plan is not for `topology`.
  static Buffer adopt(const Plan& plan, const Topology& topology, Pages pages);
  /// The same for memory that was placed by this very plan, through `rung`: a segment's.
  static Buffer adopt_placed(const Plan& plan, const Topology& topology, Pages pages, PlacingRung rung);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(Buffer&&) noexcept = default;

  const std::byte* data() const noexcept { return data_; }  ///< First byte of the dataset.
  /// First byte of the dataset, for writing. Throws InvalidArgument where the memory may only be read.
  std::byte* data();
  /// A view of the batch, not a copy. It may write where the memory may be written. Throws OutOfRange.
  AnyBatchView get_batch(std::uint64_t batch) & { return view(batch); }
  /// A view that only reads.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// How the elements of each batch are arranged.
  Layout layout() const noexcept { return layout_; }
  /// Records how the elements are arranged, and changes nothing else: for a caller that has written them in
  /// that layout.
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
  std::byte* data_ = nullptr;  // inside pages_, not always at their beginning
  Layout layout_ = Layout::rows;
  PlacingRung placing_rung_ = PlacingRung::none;
  std::vector<Degradation> degradations_;
};

}  // namespace nodewise
