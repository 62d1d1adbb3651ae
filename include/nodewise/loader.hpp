// The batch loader: a dataset in one placed buffer, served as views that never copy.
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

/// How a loader places its data. Members that are left unset come from NODEWISE_BINDING, NODEWISE_PAGES and
/// NODEWISE_WORKERS, else from the defaults of PlanOptions, PageKind::automatic and TeamOptions.
struct LoaderOptions {
  std::optional<Binding> binding;
  std::optional<PageKind> pages;
  Policy policy = Policy::blocked;
  Weights weights = Weights::equal;
  std::vector<double> given_weights;
  std::vector<unsigned> targets;  ///< Logical indices of nodes; empty: the topology's default targets.
  TeamOptions team;
  std::optional<Topology> topology;  ///< Must be this machine; unset: loaded afresh.
  /// Set: the dataset's memory is a segment that other processes can open, once it is placed and filled.
  /// Unset: it is private memory of this process.
  std::optional<SegmentOptions> segment;
  /// How the elements of each batch are arranged. Data that is copied or read in rows is rearranged on the
  /// way, batch by batch; each worker needs room for one batch. Adopted memory must be arranged in this
  /// layout already.
  Layout layout = Layout::rows;
  /// To end a load early, keep a copy of this token and call its request(): the load throws Stopped.
  Stop stop = {};
};

/// The binding, or the kind of pages, that a loader with these options uses: the option, else the value of
/// NODEWISE_BINDING or NODEWISE_PAGES, else the default. Throws InvalidArgument where the variable has an
/// unknown value.
NODEWISE_PUBLIC Binding chosen_binding(const LoaderOptions& options);
NODEWISE_PUBLIC PageKind chosen_pages(const LoaderOptions& options);
/// The options of the plan that a loader with these options makes on this machine. Throws as the two above.
NODEWISE_PUBLIC PlanOptions plan_options(const LoaderOptions& options);

struct Filling;  // private to the library

/// A dataset of one of the twelve element types. Views stay valid while the loader or a copy of its pages()
/// lives; moving the loader does not invalidate them. Members that return pointers into the loader cannot be
/// called on a temporary. Thread class: reading members may be called from any thread; elements are plain
/// memory, so the caller must order concurrent writes to one element.
class NODEWISE_PUBLIC BatchLoader {
 public:
  /// A zeroed dataset. Throws what Plan and Buffer::allocate throw.
  explicit BatchLoader(const Dataset& dataset, const LoaderOptions& options = {});
  /// A copy of `data`, which is row-major and contiguous. Precondition, which cannot be checked:
  /// dataset.total_bytes() bytes at `data` are readable.
  BatchLoader(const void* data, const Dataset& dataset, const LoaderOptions& options = {});
  /// A dataset that `fill` writes piece by piece, as the pages are made present: see Buffer::Fill.
  BatchLoader(const Buffer::Fill& fill, const Dataset& dataset, const LoaderOptions& options = {});
  /// A saved plan, replayed: policy, binding, weights and targets are the plan's; all other options count.
  explicit BatchLoader(const Plan& plan, const LoaderOptions& options = {});
  /// The caller's memory, used where it is: nothing is copied or moved. `release(data)` is called once, when
  /// the last owner goes, or if this throws. Throws InvalidArgument where `data` is not aligned to an
  /// element.
  static BatchLoader adopt(void* data, const Dataset& dataset, const LoaderOptions& options = {},
                           std::function<void(void*)> release = {});
  /// The same for memory that may only be read: write_to_buffer is refused, and views only read.
  static BatchLoader adopt(const void* data, const Dataset& dataset, const LoaderOptions& options = {},
                           std::function<void(const void*)> release = {});
  /// A dataset that another process made, used where it is. Of the options only team and topology count.
  /// Opened read-only, it refuses write_to_buffer, and its views only read. Throws InvalidArgument where
  /// there is no dataset in the segment, FormatError where its plan and its header contradict each other,
  /// PlacementError where it was made on another machine.
  static BatchLoader open(const Segment& segment, const LoaderOptions& options = {});
  /// The same, by name. Throws also as Segment::open.
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
  /// Rearranges the dataset in place. Earlier views keep the old layout and so read wrong elements: get new
  /// ones. Throws InvalidArgument where the memory may only be read, or is a segment that is published:
  /// others may be reading it. Otherwise as convert_layout(Buffer&, ...) (layout.hpp).
  void convert_layout(Layout layout, const NodePools& pools);
  /// A view of the batch, not a copy. It may write where the memory may be written. Throws OutOfRange. Cost:
  /// O(1), no allocation, no lock.
  AnyBatchView get_batch(std::uint64_t batch) & { return view<AnyBatchView>(batch); }
  /// A view that only reads.
  AnyConstBatchView get_batch(std::uint64_t batch) const& { return view<AnyConstBatchView>(batch); }
  AnyBatchView get_batch(std::uint64_t batch) const&& = delete;
  /// Whether the view that get_batch returns lies in the buffer, and the buffer's memory is mapped; the
  /// kernel is asked.
  bool is_zero_copy(std::uint64_t batch) const;
  /// The same for any view: false for a view that points elsewhere.
  bool is_zero_copy(const AnyConstBatchView& view) const;
  /// Unrounded means, one for each batch.
  std::vector<double> means() const;
  /// Means rounded as Python's round(x, 4).
  std::vector<double> get_batch_means() const;
  /// The means, and which worker read which bytes.
  Means compute_means() const;
  /// Writes one element into the buffer; every view sees it, in other processes too. A number of another type
  /// is converted where it stays the same number: 1 and 0.5 into f32, but not 0.1, nor -1 into u8. Throws
  /// OutOfRange, InvalidArgument (it would be another number: the message names the nearest one; or the
  /// segment was opened for reading).
  template <class T>
  void write_to_buffer(std::uint64_t row, std::uint64_t col, T value) {
    void* const at = element(row, col);
    if (dtype_of<T> == full_.kind.dtype) [[likely]]
      std::memcpy(at, &value, sizeof value);
    else
      write_converted(at, dtype_of<T>, &value);
  }

  Placement placement() const;
  const Buffer& buffer() const& noexcept;
  const Buffer& buffer() const&& noexcept = delete;
  const Plan& plan() const& noexcept;
  const Plan& plan() const&& noexcept = delete;
  const Team& team() const& noexcept;
  const Team& team() const&& noexcept = delete;
  /// The owner of the memory: a copy of it keeps views valid beyond the loader's life.
  const Pages& pages() const& noexcept;
  const Pages& pages() const&& noexcept = delete;
  /// Lets other processes open the segment that was made with SegmentOptions::publish false. Throws
  /// SystemError, and InvalidArgument where there is nothing to publish.
  void publish();
  /// The segment that holds the dataset, once other processes can open it.
  std::optional<Segment> segment() const;

 private:
  struct State;
  /// What get_batch needs in order to make a view without a call, for every batch but a short last one.
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
  /// A view of the short last batch. Throws OutOfRange.
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

/// BatchLoader with the element type known at compile time, which it takes from its data:
/// `ZeroCopyBatchLoader loader(vector, ...)`. Thread class: as BatchLoader.
template <class T>
class ZeroCopyBatchLoader {
 public:
  using value_type = typename detail::ElementTraits<T>::type;

  /// A copy of `data`, n_samples × n_features row by row. Throws InvalidArgument where the sizes differ.
  ZeroCopyBatchLoader(std::span<const T> data, std::uint64_t n_samples, std::uint64_t n_features,
                      std::uint64_t batch_size, const LoaderOptions& options = {})
      : loader_(checked(data, n_samples, n_features), {{n_samples, n_features}, dtype_of<T>, batch_size},
                options) {}
  /// A zeroed dataset.
  ZeroCopyBatchLoader(std::uint64_t n_samples, std::uint64_t n_features, std::uint64_t batch_size,
                      const LoaderOptions& options = {})
      : loader_(Dataset{{n_samples, n_features}, dtype_of<T>, batch_size}, options) {}
  /// Takes over an existing BatchLoader. Throws InvalidArgument where T is not its element type.
  explicit ZeroCopyBatchLoader(BatchLoader loader) : loader_(std::move(loader)) {
    if (loader_.dataset().dtype() != dtype_of<T>)
      throw InvalidArgument("ZeroCopyBatchLoader: the elements are " +
                            std::string(dtype_name(loader_.dataset().dtype())) + ", not " +
                            std::string(dtype_name(dtype_of<T>)));
  }

  std::uint64_t num_batches() const noexcept { return loader_.num_batches(); }
  /// Throws OutOfRange, and InvalidArgument where the memory may only be read (take the view from a const
  /// loader) or the batches are not in Layout::rows.
  BatchView<T> get_batch(std::uint64_t batch) & { return loader_.get_batch(batch).template as<T>(); }
  /// A view that only reads. Throws OutOfRange, and InvalidArgument where the batches are not in
  /// Layout::rows.
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

/// For a vector, a span, an array, and every other contiguous range.
template <std::ranges::contiguous_range Data>
ZeroCopyBatchLoader(const Data&, std::uint64_t n_samples, std::uint64_t n_features, std::uint64_t batch_size,
                    const LoaderOptions& = {}) -> ZeroCopyBatchLoader<std::ranges::range_value_t<Data>>;

}  // namespace nodewise
