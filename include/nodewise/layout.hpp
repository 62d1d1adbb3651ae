// How the elements of a batch are arranged: by rows, by columns, or by tiles of rows. A batch is one
// contiguous byte range in each of them, so plans, placement and loaders need not know which one it is.
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

/// A row or column of a LayoutView whose elements do not follow one another: a random-access range of T. Each
/// step computes the position of its element anew. For a column in Layout::tiles, a loop over the tiles'
/// columns (LayoutView::tile()) is faster. Valid as long as the view's memory. Thread class: value.
template <class View, bool is_row>
class LayoutLine : public std::ranges::view_base {
 public:
  using element_type = typename View::element_type;
  class iterator;

  constexpr LayoutLine() noexcept = default;
  /// Of row or column `index` of `view`.
  constexpr LayoutLine(const View& view, std::size_t index) noexcept : view_(view), index_(index) {}

  constexpr std::size_t size() const noexcept { return is_row ? view_.cols() : view_.rows(); }
  constexpr bool empty() const noexcept { return size() == 0; }
  /// Precondition: i < size().
  NODEWISE_EXPECTS_INLINE constexpr element_type& operator[](std::size_t i) const noexcept {
    NODEWISE_EXPECTS(i < size());
    return is_row ? view_(index_, i) : view_(i, index_);
  }
  /// Precondition, of both: not empty.
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

/// A batch whose elements are arranged as L says. Members are named as in BatchView. A pointer and two
/// numbers; never owns. Valid as long as the memory it was got from. Thread class: value.
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
  /// A view that may write becomes one that only reads.
  template <class U>
  requires std::is_same_v<const U, T>
  constexpr LayoutView(const LayoutView<U, L>& other) noexcept
      : LayoutView(other.data(), other.rows(), other.cols()) {}
  /// A batch of a loader. Throws InvalidArgument where T is not its element type or L not its layout, where
  /// it may only be read and T is not const, and where there are gaps between its rows.
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
  /// As operator(), checked. Throws OutOfRange.
  T& at(std::size_t row, std::size_t col) const {
    if (row >= rows_ || col >= cols_)
      throw OutOfRange("LayoutView::at: (" + std::to_string(row) + ", " + std::to_string(col) +
                       ") is outside a view of " + std::to_string(rows_) + " x " + std::to_string(cols_));
    return (*this)(row, col);
  }

  /// A random-access range of T: a span where the elements follow one another, else a LayoutLine.
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

  /// The number of tiles. For loops that the compiler is to vectorise: in each tile the columns are spans.
  constexpr std::size_t tiles() const noexcept requires(L == Layout::tiles) {
    return rows_ / tile_rows + (rows_ % tile_rows != 0 ? 1 : 0);
  }
  /// The rows from tile * tile_rows on: tile_rows of them, or as many as are left. Precondition: tile <
  /// tiles().
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

/// Calls `fn` with a LayoutView of `batch` in the layout that the batch has; `fn` takes each of the three and
/// returns the same type for each. Throws as LayoutView's constructor, and what `fn` throws.
template <Element T, class Fn>
decltype(auto) with_layout(const AnyBatchView& batch, Fn&& fn) {
  if (batch.layout() == Layout::rows) return fn(LayoutView<T, Layout::rows>(batch));
  if (batch.layout() == Layout::columns) return fn(LayoutView<T, Layout::columns>(batch));
  return fn(LayoutView<T, Layout::tiles>(batch));
}
/// The same for a batch that may only be read: `fn` gets views of const T.
template <Element T, class Fn>
decltype(auto) with_layout(const AnyConstBatchView& batch, Fn&& fn) {
  if (batch.layout() == Layout::rows) return fn(LayoutView<const T, Layout::rows>(batch));
  if (batch.layout() == Layout::columns) return fn(LayoutView<const T, Layout::columns>(batch));
  return fn(LayoutView<const T, Layout::tiles>(batch));
}

/// Fills `to` with the batches of `from`, arranged by `layout`, which is the layout of `to` from then on.
/// Each shard of `to` is written by the workers that read it (Team::readers), unless they steal; where `from`
/// is divided among the nodes as `to` is, they read locally too. Long batches are divided among workers. If
/// the whole result is 4 MiB or more, its writes bypass the caches. Throws InvalidArgument where the two
/// differ in shape, element type or batch size, where they overlap, and where `to` may only be read;
/// PlacementError where the plans of the two buffers were made for different topologies. Cost: 1 to 2
/// parallel copies (docs/layouts.md); 160 KiB of each worker's stack. Thread class: any thread; `from` may be
/// read meanwhile.
NODEWISE_PUBLIC void convert_layout(const Buffer& from, Buffer& to, Layout layout, const Team& team);

/// Rearranges the batches of `buffer` in place. Each worker that has batches takes room for one batch from
/// the pool of its node, and gives it back. What the pools throw (OutOfMemory) is thrown before anything is
/// changed; after any other exception a batch may be in either layout. Throws InvalidArgument where the
/// memory may only be read, or is a published segment, which other processes may be reading. Batches are not
/// divided among workers. Cost: two copies, one of them in the cache, if it holds a batch. Thread class: one
/// caller at a time for a buffer.
NODEWISE_PUBLIC void convert_layout(Buffer& buffer, Layout layout, const Team& team, const NodePools& pools);

/// One batch of any memory, on the calling thread. Preconditions: rows × cols elements at either place,
/// aligned to an element. Throws InvalidArgument where the size overflows or the two overlap. Thread class:
/// any thread.
NODEWISE_PUBLIC void convert_batch(const void* from, Layout from_layout, void* to, Layout to_layout,
                                   DType dtype, std::uint64_t rows, std::uint64_t cols);

}  // namespace nodewise

template <class View, bool is_row>
inline constexpr bool std::ranges::enable_borrowed_range<nodewise::LayoutLine<View, is_row>> = true;
