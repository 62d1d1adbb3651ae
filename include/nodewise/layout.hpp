// The layouts of a batch: its elements are arranged by rows, by columns, or by tiles of rows (Layout, in
// view.hpp). In each layout a batch is one contiguous range of bytes, so plans and placement do not depend on
// the layout. LayoutView is a view for any layout, and convert_layout() changes the layout.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <nodewise/buffer.hpp>
#include <nodewise/dtype.hpp>
#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>
#include <nodewise/export.hpp>
#include <nodewise/team.hpp>
#include <nodewise/view.hpp>

namespace nodewise {

class NodePools;

/// A row or column of a LayoutView whose elements are not contiguous, as a random-access range of T. Each
/// access computes the position of its element. In Layout::tiles, a loop over the columns of each
/// LayoutView::tile() is faster than this. Valid as long as the view's memory. Thread class: value.
template <class View, bool is_row>
class LayoutLine : public std::ranges::view_base {
 public:
  using element_type = typename View::element_type;
  class iterator;

  constexpr LayoutLine() noexcept = default;
  /// Row or column number `index` of `view`.
  constexpr LayoutLine(const View& view, std::size_t index) noexcept : view_(view), index_(index) {}

  constexpr std::size_t size() const noexcept { return is_row ? view_.cols() : view_.rows(); }
  constexpr bool empty() const noexcept { return size() == 0; }
  /// Precondition: i < size().
  NODEWISE_EXPECTS_INLINE constexpr element_type& operator[](std::size_t i) const noexcept {
    NODEWISE_EXPECTS(i < size());
    return is_row ? view_(index_, i) : view_(i, index_);
  }
  /// Precondition of both: the line is not empty.
  NODEWISE_EXPECTS_INLINE constexpr element_type& front() const noexcept { return (*this)[0]; }
  NODEWISE_EXPECTS_INLINE constexpr element_type& back() const noexcept { return (*this)[size() - 1]; }
  constexpr iterator begin() const noexcept { return {*this, 0}; }
  constexpr iterator end() const noexcept { return {*this, static_cast<std::ptrdiff_t>(size())}; }

 private:
  View view_;
  std::size_t index_ = 0;
};

template <class View, bool is_row>
class LayoutLine<View, is_row>::iterator {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = typename View::value_type;
  using difference_type = std::ptrdiff_t;
  using reference = element_type&;
  using pointer = element_type*;

  constexpr iterator() noexcept = default;
  constexpr iterator(const LayoutLine& line, difference_type at) noexcept : line_(line), at_(at) {}
  NODEWISE_EXPECTS_INLINE constexpr reference operator*() const noexcept {
    return line_[static_cast<std::size_t>(at_)];
  }
  constexpr pointer operator->() const noexcept { return &**this; }
  constexpr reference operator[](difference_type n) const noexcept { return *(*this + n); }
  constexpr iterator& operator+=(difference_type n) noexcept {
    at_ += n;
    return *this;
  }
  constexpr iterator& operator-=(difference_type n) noexcept { return *this += -n; }
  constexpr iterator& operator++() noexcept { return *this += 1; }
  constexpr iterator& operator--() noexcept { return *this -= 1; }
  constexpr iterator operator++(int) noexcept {
    const iterator before = *this;
    ++*this;
    return before;
  }
  constexpr iterator operator--(int) noexcept {
    const iterator before = *this;
    --*this;
    return before;
  }
  friend constexpr iterator operator+(iterator it, difference_type n) noexcept { return it += n; }
  friend constexpr iterator operator+(difference_type n, iterator it) noexcept { return it += n; }
  friend constexpr iterator operator-(iterator it, difference_type n) noexcept { return it -= n; }
  friend constexpr difference_type operator-(const iterator& a, const iterator& b) noexcept {
    return a.at_ - b.at_;
  }
  friend constexpr bool operator==(const iterator& a, const iterator& b) noexcept { return a.at_ == b.at_; }
  friend constexpr std::strong_ordering operator<=>(const iterator& a, const iterator& b) noexcept {
    return a.at_ <=> b.at_;
  }

 private:
  LayoutLine line_;
  difference_type at_ = 0;
};

/// A view of a batch in layout L: a pointer and two numbers. Its members are named as in BatchView. A view
/// does not own the memory, and is valid as long as the memory is. Thread class: value.
template <Element T, Layout L>
class LayoutView {
 public:
  using element_type = T;
  using value_type = std::remove_const_t<T>;
  static constexpr Layout layout = L;

  constexpr LayoutView() noexcept = default;
  /// Precondition: `data` points to rows × cols elements.
  NODEWISE_EXPECTS_INLINE constexpr LayoutView(T* data, std::size_t rows, std::size_t cols) noexcept
      : data_(data), rows_(rows), cols_(cols) {
    NODEWISE_EXPECTS(data != nullptr || rows == 0 || cols == 0);
  }
  /// Converts a writable view to a read-only one.
  template <class U>
  requires std::is_same_v<const U, T>
  constexpr LayoutView(const LayoutView<U, L>& other) noexcept
      : LayoutView(other.data(), other.rows(), other.cols()) {}
  /// A view of a batch. Throws InvalidArgument if T is not the element type, if L is not the layout, if the
  /// batch is read-only and T is not const, or if there are gaps between the rows.
  LayoutView(const AnyBatchView& batch)
      : LayoutView(batch.template elements<T>(L), batch.rows(), batch.cols()) {
    check_contiguous(batch.row_stride());
  }
  LayoutView(const AnyConstBatchView& batch) requires std::is_const_v<T>
      : LayoutView(batch.template elements<T>(L), batch.rows(), batch.cols()) {
    check_contiguous(batch.row_stride());
  }
  /// The same for a typed view.
  template <class U>
  requires(L == Layout::rows && (std::is_same_v<U, T> || std::is_same_v<const U, T>))
      LayoutView(const BatchView<U>& batch)
      : LayoutView(batch.data(), batch.rows(), batch.cols()) {
    check_contiguous(batch.row_stride());
  }

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t cols() const noexcept { return cols_; }
  constexpr std::size_t size() const noexcept { return rows_ * cols_; }

  /// Precondition: row < rows(), col < cols().
  NODEWISE_EXPECTS_INLINE constexpr T& operator()(std::size_t row, std::size_t col) const noexcept {
    NODEWISE_EXPECTS(row < rows_ && col < cols_);
    return data_[element_offset(L, rows_, cols_, row, col)];
  }
  /// As operator(), with a check: throws OutOfRange.
  T& at(std::size_t row, std::size_t col) const {
    if (row >= rows_ || col >= cols_)
      throw OutOfRange("LayoutView::at: (" + std::to_string(row) + ", " + std::to_string(col) +
                       ") is outside a view of " + std::to_string(rows_) + " x " + std::to_string(cols_));
    return (*this)(row, col);
  }

  /// The row as a random-access range of T: a span if its elements are contiguous, else a LayoutLine.
  /// Precondition: row < rows().
  NODEWISE_EXPECTS_INLINE constexpr auto row(std::size_t row) const noexcept {
    NODEWISE_EXPECTS(row < rows_);
    if constexpr (L == Layout::rows)
      return std::span<T>(data_ + row * cols_, cols_);
    else
      return LayoutLine<LayoutView, true>(*this, row);
  }
  /// The same for a column. Precondition: col < cols().
  NODEWISE_EXPECTS_INLINE constexpr auto column(std::size_t col) const noexcept {
    NODEWISE_EXPECTS(col < cols_);
    if constexpr (L == Layout::columns)
      return std::span<T>(data_ + col * rows_, rows_);
    else
      return LayoutLine<LayoutView, false>(*this, col);
  }

  /// The number of tiles. Inside a tile, columns are spans, so the compiler can vectorise loops over them.
  constexpr std::size_t tiles() const noexcept requires(L == Layout::tiles) {
    return rows_ / tile_rows + (rows_ % tile_rows != 0 ? 1 : 0);
  }
  /// Tile number `tile`, as a view in Layout::columns. It has tile_rows rows; the last tile may have fewer.
  /// Precondition: tile < tiles().
  NODEWISE_EXPECTS_INLINE constexpr LayoutView<T, Layout::columns> tile(std::size_t tile) const noexcept
      requires(L == Layout::tiles) {
    NODEWISE_EXPECTS(tile < tiles());
    const std::size_t first = tile * tile_rows;
    return {data_ + first * cols_, std::min(tile_rows, rows_ - first), cols_};
  }

 private:
  void check_contiguous(std::size_t row_stride) const {
    if (row_stride == cols_ || rows_ < 2) return;
    throw InvalidArgument("LayoutView: the rows of the batch are " + std::to_string(row_stride) +
                          " elements apart and only " + std::to_string(cols_) +
                          " long; a layout leaves no room between them");
  }
  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
};

/// Calls `fn` with a LayoutView of `batch` in the layout that the batch has, and returns its result. `fn`
/// must accept a view in any layout, and return the same type for all. Throws what LayoutView's constructor
/// and `fn` throw.
template <Element T, class Fn>
decltype(auto) with_layout(const AnyBatchView& batch, Fn&& fn) {
  if (batch.layout() == Layout::rows) return fn(LayoutView<T, Layout::rows>(batch));
  if (batch.layout() == Layout::columns) return fn(LayoutView<T, Layout::columns>(batch));
  return fn(LayoutView<T, Layout::tiles>(batch));
}
/// The same for a read-only batch: `fn` gets views of const T.
template <Element T, class Fn>
decltype(auto) with_layout(const AnyConstBatchView& batch, Fn&& fn) {
  if (batch.layout() == Layout::rows) return fn(LayoutView<const T, Layout::rows>(batch));
  if (batch.layout() == Layout::columns) return fn(LayoutView<const T, Layout::columns>(batch));
  return fn(LayoutView<const T, Layout::tiles>(batch));
}

/// Copies the batches of `from` to `to` and arranges them by `layout`, which becomes the layout of `to`. The
/// shards of `to` are divided among the workers as for reading (Team::readers), and each worker writes its
/// part; under Scheduling::stealing, others may help. If both buffers have the same plan, each worker also
/// reads only from its own node. Long batches are divided among workers. If `to` has 4 MiB or more, it is
/// written past the caches.
///
/// Throws InvalidArgument if shape, element type or batch size differ, if the buffers overlap, or if `to` is
/// read-only. Throws PlacementError if the two plans were made for different machines. Thread class: any
/// thread; others may read `from` at the same time. Cost: as much as 1 to 2 parallel copies
/// (docs/layouts.md), and 160 KiB of each worker's stack.
NODEWISE_PUBLIC void convert_layout(const Buffer& from, Buffer& to, Layout layout, const Team& team);

/// Rearranges the batches of `buffer` in place. Each worker that has batches borrows memory for one batch
/// from the pool of its node. If a pool has no memory left, OutOfMemory is thrown, and nothing is changed.
/// After any other exception, each batch is in one of the two layouts. Throws InvalidArgument if the memory
/// is read-only, or is a segment, which other processes may be reading. Batches are not divided among
/// workers. Cost: two copies; one of them stays in the cache if a batch fits there. Thread class: one caller
/// at a time for each buffer.
NODEWISE_PUBLIC void convert_layout(Buffer& buffer, Layout layout, const Team& team, const NodePools& pools);

/// Converts one batch anywhere in memory, on the calling thread. Preconditions: there are rows × cols
/// elements at both places, aligned to the element type. Throws InvalidArgument if the size overflows, or if
/// the two places overlap. Thread class: any thread.
NODEWISE_PUBLIC void convert_batch(const void* from, Layout from_layout, void* to, Layout to_layout,
                                   DType dtype, std::uint64_t rows, std::uint64_t cols);

}  // namespace nodewise

template <class View, bool is_row>
inline constexpr bool std::ranges::enable_borrowed_range<nodewise::LayoutLine<View, is_row>> = true;
