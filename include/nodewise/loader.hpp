// The batch loader: it holds a dataset in one buffer, whose pages lie on the NUMA nodes that a plan gives
// them (plan.hpp). It gives out batches as views (view.hpp), which point into the buffer. Means of batches
// are computed by a team: threads that are pinned to the nodes of their data (team.hpp).
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <vector>

#include <nodewise/buffer.hpp>
#include <nodewise/dataset.hpp>
#include <nodewise/export.hpp>
#include <nodewise/means.hpp>
#include <nodewise/placement.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/stop.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

class NodePools;

/// How a loader places its data. If an option is not set, the environment may set it: NODEWISE_BINDING for
/// `binding`, NODEWISE_PAGES for `pages`, NODEWISE_WORKERS for `team.workers`. Otherwise the defaults are
/// Binding::preferred, PageKind::automatic, and the number of workers that TeamOptions describes.
struct LoaderOptions {
  std::optional<Binding> binding;
  std::optional<PageKind> pages;
  Policy policy = Policy::blocked;
  Weights weights = Weights::equal;
  std::vector<double> given_weights;
  /// The nodes that get data, by logical index. Empty: Topology::default_targets().
  std::vector<unsigned> targets;
  TeamOptions team;
  std::optional<Topology> topology;  ///< Describes this machine. Unset: Topology::this_machine() is called.
  /// If set, the dataset's memory is a segment, which other processes can open once it is filled. If unset,
  /// the memory is private to this process.
  std::optional<SegmentOptions> segment;
  /// How the elements of each batch are arranged (view.hpp). Data that is copied, loaded, or written by a
  /// Buffer::Fill is row-major. If this layout puts elements elsewhere, the data is rearranged while it is
  /// filled in, one batch at a time; each worker then needs memory for one batch. Adopted memory must already
  /// be in this layout.
  Layout layout = Layout::rows;
  /// To end a load early, keep a copy of this token and call its request(). The load then throws Stopped.
  /// BatchLoader::open() and open_or_create() also poll it while they wait for another process.
  Stop stop = {};
  /// How long open() and open_or_create() wait for a process that has not finished making the segment.
  Patience patience = {};
};

/// The binding, or the kind of pages, that a loader with these options uses: the option if it is set, else
/// the value of NODEWISE_BINDING or NODEWISE_PAGES, else the default. Throws InvalidArgument if the variable
/// has an unknown value.
NODEWISE_PUBLIC Binding chosen_binding(const LoaderOptions& options);
NODEWISE_PUBLIC PageKind chosen_pages(const LoaderOptions& options);
/// The options that such a loader passes to Plan. Throws as the two functions above.
NODEWISE_PUBLIC PlanOptions plan_options(const LoaderOptions& options);

struct Filling;  // private to the library

/// A dataset in one placed buffer. Its elements have one of the types of dtype.hpp. Views stay valid
/// as long as the loader or a copy of its pages() exists; moving the loader does not invalidate them. Members
/// that return references into the loader cannot be called on a temporary loader.
///
/// Constructors and open() throw what Topology::this_machine, Plan, Team and Buffer throw. Under
/// Binding::required, constructors and adopt() throw PlacementError if the pages do not lie as planned.
///
/// Thread class: any number of threads may call const members at the same time. Elements are plain memory:
/// callers must order accesses to the same element if one of them is a write.
class NODEWISE_PUBLIC BatchLoader {
 public:
  /// A dataset of zeros.
  explicit BatchLoader(const Dataset& dataset, const LoaderOptions& options = {});
  /// A copy of `data`, which holds the rows one after the other. Precondition, which cannot be checked:
  /// dataset.total_bytes() bytes at `data` are readable.
  BatchLoader(const void* data, const Dataset& dataset, const LoaderOptions& options = {});
  /// A dataset that `fill` writes piece by piece, as Buffer::allocate describes. If LoaderOptions::layout
  /// puts elements elsewhere than Layout::rows, each piece is a whole batch, which `fill` writes row-major.
  BatchLoader(const Buffer::Fill& fill, const Dataset& dataset, const LoaderOptions& options = {});
  /// A dataset of zeros, placed by `plan`, for example a saved one. The plan decides policy, binding, weights
  /// and targets; these members of `options` are ignored.
  explicit BatchLoader(const Plan& plan, const LoaderOptions& options = {});
  /// Uses the caller's memory where it is: nothing is copied or moved. `release(data)` is called once: when
  /// the last owner is destroyed, or when this function throws. If the kernel does not let this process
  /// write to the memory (mmap with PROT_READ), it is treated as read-only. Throws InvalidArgument if `data`
  /// is null or not aligned to the element type.
  static BatchLoader adopt(void* data, const Dataset& dataset, const LoaderOptions& options = {},
                           std::function<void(void*)> release = {});
  /// As above, for read-only memory: views are read-only, and write_to_buffer throws InvalidArgument.
  static BatchLoader adopt(const void* data, const Dataset& dataset, const LoaderOptions& options = {},
                           std::function<void(const void*)> release = {});
  /// Uses a dataset that another process has placed in a segment (segment.hpp), without copying it. Of the
  /// options, only `team` and `topology` are used. If the segment was opened read-only, views are read-only,
  /// and write_to_buffer throws InvalidArgument. Throws InvalidArgument if the segment holds no dataset,
  /// FormatError if its plan and its header contradict each other, and PlacementError if it was made on
  /// another machine.
  static BatchLoader open(const Segment& segment, const LoaderOptions& options = {});
  /// Opens the segment called `name`, and continues as above. Waits for its maker as `options.patience` and
  /// `options.stop` say. Also throws what Segment::open throws, and Stopped.
  static BatchLoader open(const std::string& name, Access access = Access::read_only,
                          const LoaderOptions& options = {});
  ~BatchLoader();
  BatchLoader(BatchLoader&&) noexcept;
  BatchLoader& operator=(BatchLoader&&) noexcept;

  const Dataset& dataset() const& noexcept;
  Dataset dataset() && noexcept { return std::as_const(*this).dataset(); }
  std::uint64_t num_batches() const noexcept { return dataset().num_batches(); }
  /// How the elements of each batch are arranged.
  Layout layout() const noexcept { return full_.kind.layout; }
  /// Rearranges the dataset in place. Afterwards, views that were made before the call show wrong elements:
  /// make new ones. Throws InvalidArgument if the memory is read-only, or if it is a published segment, which
  /// other processes may be reading. Otherwise as convert_layout(Buffer&, ...) in layout.hpp.
  void convert_layout(Layout layout, const NodePools& pools);
  /// A view of a batch; nothing is copied. Elements can be written through the view if the memory is
  /// writable. Throws OutOfRange. Cost: O(1), without allocation or lock.
  AnyBatchView get_batch(std::uint64_t batch) & { return view<AnyBatchView>(batch); }
  /// A read-only view. Throws OutOfRange.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view<AnyConstBatchView>(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// True if get_batch(batch) gives a view into the buffer, and the kernel says that the view's memory is
  /// mapped. Throws OutOfRange. Cost: one system call.
  bool is_zero_copy(std::uint64_t batch) const;
  /// The same for any view. False if the view is empty or points outside the buffer.
  bool is_zero_copy(const AnyConstBatchView& view) const;
  /// The mean of each batch, not rounded to decimals (means.hpp).
  std::vector<double> means() const;
  /// The mean of each batch, rounded as Python's round(x, 4).
  std::vector<double> get_batch_means() const;
  /// The mean of each batch, and which worker read which bytes.
  Means compute_means() const;
  /// Writes one element into the buffer. Every view sees it, also in other processes. A number of another
  /// type is converted if its value does not change: 1 and 0.5 can be written as f32, but 0.1 cannot, nor can
  /// -1 as u8. Throws OutOfRange. Throws InvalidArgument if the value would change (the message names the
  /// nearest possible value), or if the memory is read-only.
  template <class T>
  void write_to_buffer(std::uint64_t row, std::uint64_t col, T value) {
    void* const at = element(row, col);
    if (dtype_of<T> == full_.kind.dtype) [[likely]]
      std::memcpy(at, &value, sizeof value);
    else
      write_converted(at, dtype_of<T>, &value);
  }

  /// Asks the kernel where each page is, and compares the answer with the plan.
  Placement placement() const;
  const Buffer& buffer() const& noexcept;
  const Buffer& buffer() const&& noexcept = delete;
  const Plan& plan() const& noexcept;
  const Plan& plan() const&& noexcept = delete;
  const Team& team() const& noexcept;
  const Team& team() const&& noexcept = delete;
  /// The owner of the memory. Views stay valid as long as a copy of these Pages exists, even after the loader
  /// is destroyed.
  const Pages& pages() const& noexcept;
  const Pages& pages() const&& noexcept = delete;
  /// Lets other processes open the loader's segment, if SegmentOptions::publish was false. Throws
  /// InvalidArgument if there is nothing to publish, and SystemError if a system call fails.
  void publish();
  /// The segment that holds the dataset. Empty if the memory is no segment, or if the segment is not
  /// published yet.
  std::optional<Segment> segment() const;

 private:
  struct State;
  /// What get_batch needs to make a view inline. A last batch that is short is not counted here.
  struct FullBatches {
    std::byte* data = nullptr;
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    std::uint64_t rows = 0;
    std::uint64_t cols = 0;
    BatchKind kind;
  };
  template <class View>
  View view(std::uint64_t batch) const {
    if (batch >= full_.count) [[unlikely]]
      return short_batch(batch);
    return {full_.data + batch * full_.bytes, full_.kind, full_.rows, full_.cols, full_.cols};
  }
  explicit BatchLoader(std::unique_ptr<State> state) noexcept;
  /// A view of the short last batch. Throws OutOfRange if `batch` does not exist.
  AnyBatchView short_batch(std::uint64_t batch) const;
  friend struct LoaderAccess;
  BatchLoader(const Plan& plan, const Topology& topology, const LoaderOptions& options,
              const Filling& filling);
  static BatchLoader adopt(Pages pages, const Dataset& dataset, const LoaderOptions& options);
  void* element(std::uint64_t row, std::uint64_t col);
  void write_converted(void* at, DType from, const void* value);
  std::unique_ptr<State> state_;
  FullBatches full_;
};

/// A BatchLoader whose element type is known at compile time. If the loader is given data, the type is
/// deduced from it: `ZeroCopyBatchLoader loader(vector, ...)`. Thread class: as BatchLoader.
template <class T>
class ZeroCopyBatchLoader {
 public:
  using value_type = typename detail::ElementTraits<T>::type;

  /// A copy of `data`: n_samples rows of n_features elements each. Throws InvalidArgument if `data` has
  /// another size.
  ZeroCopyBatchLoader(std::span<const T> data, std::uint64_t n_samples, std::uint64_t n_features,
                      std::uint64_t batch_size, const LoaderOptions& options = {})
      : loader_(checked(data, n_samples, n_features), {{n_samples, n_features}, dtype_of<T>, batch_size},
                options) {}
  /// A dataset of zeros.
  ZeroCopyBatchLoader(std::uint64_t n_samples, std::uint64_t n_features, std::uint64_t batch_size,
                      const LoaderOptions& options = {})
      : loader_(Dataset{{n_samples, n_features}, dtype_of<T>, batch_size}, options) {}
  /// Takes over a BatchLoader. Throws InvalidArgument if its element type is not T.
  explicit ZeroCopyBatchLoader(BatchLoader loader) : loader_(std::move(loader)) {
    if (loader_.dataset().dtype() != dtype_of<T>)
      throw InvalidArgument("ZeroCopyBatchLoader: the elements are " +
                            std::string(dtype_name(loader_.dataset().dtype())) + ", not " +
                            std::string(dtype_name(dtype_of<T>)));
  }

  std::uint64_t num_batches() const noexcept { return loader_.num_batches(); }
  /// Throws OutOfRange. Throws InvalidArgument if the batches are not in Layout::rows, or if the memory is
  /// read-only; a const loader gives read-only views of such memory.
  BatchView<T> get_batch(std::uint64_t batch) & { return loader_.get_batch(batch).template as<T>(); }
  /// A read-only view. Throws OutOfRange, and InvalidArgument if the batches are not in Layout::rows.
  BatchView<const T> get_batch(std::uint64_t batch) const& {
    return loader_.get_batch(batch).template as<T>();
  }
  BatchView<T> get_batch(std::uint64_t batch) const&& = delete;
  bool is_zero_copy(std::uint64_t batch) const { return loader_.is_zero_copy(batch); }
  std::vector<double> means() const { return loader_.means(); }
  std::vector<double> get_batch_means() const { return loader_.get_batch_means(); }
  /// As BatchLoader::write_to_buffer.
  template <class U>
  void write_to_buffer(std::uint64_t row, std::uint64_t col, U value) {
    loader_.write_to_buffer(row, col, value);
  }
  Placement placement() const { return loader_.placement(); }
  const BatchLoader& loader() const& noexcept { return loader_; }
  const BatchLoader& loader() const&& noexcept = delete;

 private:
  static const T* checked(std::span<const T> data, std::uint64_t n_samples, std::uint64_t n_features) {
    if (n_features == 0 ? !data.empty() : data.size() / n_features != n_samples || data.size() % n_features)
      throw InvalidArgument("ZeroCopyBatchLoader: " + std::to_string(data.size()) + " elements are not " +
                            std::to_string(n_samples) + " x " + std::to_string(n_features));
    return data.data();
  }
  BatchLoader loader_;
};

/// Deduces T from a vector, a span, an array or any other contiguous range.
template <std::ranges::contiguous_range Data>
ZeroCopyBatchLoader(const Data&, std::uint64_t n_samples, std::uint64_t n_features, std::uint64_t batch_size,
                    const LoaderOptions& = {}) -> ZeroCopyBatchLoader<std::ranges::range_value_t<Data>>;

}  // namespace nodewise
