// Views of a batch. They point into the dataset's own memory and never own it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <nodewise/dtype.hpp>
#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>
#include <nodewise/export.hpp>

#if __has_include(<mdspan>)
#include <mdspan>
#endif

namespace nodewise {

/// Whether memory may only be read, or also written.
enum class Access : std::uint8_t { read_only, read_write };
NODEWISE_PUBLIC std::string_view to_string(Access access) noexcept;

/// Where the element (row, col) of a batch of R rows and C columns is, in elements from the batch's first:
/// rows     row * C + col
/// columns  col * R + row, with the R of that batch: a short last one has shorter columns
/// tiles    tile_rows rows are a tile, h = min(tile_rows, what is left) high: its first element is at
///          (row / tile_rows) * tile_rows * C, and in it col * h + row % tile_rows
/// None of them pads anything.
enum class Layout : std::uint8_t { rows, columns, tiles };
NODEWISE_PUBLIC std::string_view to_string(Layout layout) noexcept;

/// Rows of a tile. Of f32, a column of a whole tile is as long as a cache line.
inline constexpr std::size_t tile_rows = 16;

/// The offset that the comment of Layout defines. Precondition: row < rows, col < cols; not checked.
constexpr std::size_t element_offset(Layout layout, std::size_t rows, std::size_t cols, std::size_t row,
                                     std::size_t col) noexcept {
  if (layout == Layout::rows) return row * cols + col;
  if (layout == Layout::columns) return col * rows + row;
  const std::size_t in_tile = row % tile_rows, first = row - in_tile;
  return first * cols + col * std::min(tile_rows, rows - first) + in_tile;
}

/// Rows × columns of T, row-major; elements of a row are contiguous, rows are `row_stride` elements apart.
/// Valid as long as the memory it was got from. Thread class: value.
template <class T>
class BatchView {
 public:
  using value_type = typename detail::ElementTraits<T>::type;

  constexpr BatchView() noexcept = default;
  /// Precondition: `data` points to at least (rows - 1) × row_stride + cols elements, row_stride ≥ cols.
  NODEWISE_EXPECTS_INLINE constexpr BatchView(T* data, std::size_t rows, std::size_t cols,
                                              std::size_t row_stride) noexcept
      : data_(data), rows_(rows), cols_(cols), row_stride_(row_stride) {
    NODEWISE_EXPECTS(row_stride >= cols && (data != nullptr || rows == 0 || cols == 0));
  }
  /// A view that may write becomes one that only reads.
  template <class U>
  requires std::is_same_v<const U, T>
  constexpr BatchView(const BatchView<U>& other) noexcept
      : BatchView(other.data(), other.rows(), other.cols(), other.row_stride()) {}

  constexpr T* data() const noexcept { return data_; }
  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t cols() const noexcept { return cols_; }
  constexpr std::size_t row_stride() const noexcept { return row_stride_; }
  constexpr std::size_t size() const noexcept { return rows_ * cols_; }
  constexpr bool contiguous() const noexcept { return row_stride_ == cols_ || rows_ < 2; }

  /// Precondition: row < rows(), col < cols().
  NODEWISE_EXPECTS_INLINE constexpr T& operator()(std::size_t row, std::size_t col) const noexcept {
    NODEWISE_EXPECTS(row < rows_ && col < cols_);
    return data_[row * row_stride_ + col];
  }
  /// Precondition: row < rows().
  NODEWISE_EXPECTS_INLINE constexpr std::span<T> row(std::size_t row) const noexcept {
    NODEWISE_EXPECTS(row < rows_);
    return {data_ + row * row_stride_, cols_};
  }
  /// All elements, row after row. Throws InvalidArgument unless contiguous().
  constexpr std::span<T> flat() const {
    if (!contiguous())
      throw InvalidArgument("BatchView::flat: the rows are " + std::to_string(row_stride_) +
                            " elements apart and only " + std::to_string(cols_) +
                            " long; go row by row, with row(i)");
    return {data_, size()};
  }
  /// As operator(), checked. Throws OutOfRange.
  T& at(std::size_t row, std::size_t col) const {
    if (row >= rows_ || col >= cols_)
      throw OutOfRange("BatchView::at: (" + std::to_string(row) + ", " + std::to_string(col) +
                       ") is outside a view of " + std::to_string(rows_) + " x " + std::to_string(cols_));
    return (*this)(row, col);
  }

#ifdef __cpp_lib_mdspan
  using mdspan = std::mdspan<T, std::dextents<std::size_t, 2>, std::layout_stride>;
  operator mdspan() const {
    return mdspan(data_, typename mdspan::mapping_type(std::dextents<std::size_t, 2>(rows_, cols_),
                                                       std::array{row_stride_, std::size_t{1}}));
  }
#endif

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t row_stride_ = 0;
};

/// Element type, layout and access of a batch, in one word, so that a view is cheap to make.
struct alignas(4) BatchKind {
  constexpr BatchKind() noexcept = default;
  constexpr BatchKind(DType type, Layout arranged = Layout::rows,
                      Access allowed = Access::read_write) noexcept
      : dtype(type), layout(arranged), access(allowed) {}
  DType dtype = DType::f64;
  Layout layout = Layout::rows;
  Access access = Access::read_write;
  std::uint8_t unused = 0;  ///< Fills the word: compilers then copy it whole, not member by member.
};

/// A batch that may only be read, whose element type and layout are known at run time: what a const loader
/// gives, and what every AnyBatchView becomes. Thread class: value.
class NODEWISE_PUBLIC AnyConstBatchView {
 public:
  constexpr AnyConstBatchView() noexcept = default;
  /// Precondition: as BatchView's; where the layout is not rows, row_stride is cols.
  constexpr AnyConstBatchView(const void* data, BatchKind kind, std::size_t rows, std::size_t cols,
                              std::size_t row_stride) noexcept
      : data_(data), kind_(kind), rows_(rows), cols_(cols), row_stride_(row_stride) {}

  constexpr const void* data() const noexcept { return data_; }
  constexpr DType dtype() const noexcept { return kind_.dtype; }
  /// How the elements are arranged.
  constexpr Layout layout() const noexcept { return kind_.layout; }
  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t cols() const noexcept { return cols_; }
  /// Elements from a row's first to the next row's first, in Layout::rows; in other layouts it is cols().
  constexpr std::size_t row_stride() const noexcept { return row_stride_; }
  constexpr std::size_t size_bytes() const noexcept { return rows_ * cols_ * dtype_bytes(dtype()); }
  /// Bytes from the first element to the end of the last one.
  constexpr std::size_t extent_bytes() const noexcept {
    return size_bytes() == 0 ? 0 : ((rows_ - 1) * row_stride_ + cols_) * dtype_bytes(dtype());
  }

  /// The same batch, typed: as<float>() and as<const float>() are the same here. Throws InvalidArgument where
  /// T is not its element type, or it is not in Layout::rows: LayoutView reads the others.
  template <class T>  // no concept Element here: for a wrong T, dtype_of gives an error that lists the twelve
  BatchView<const T> as() const {
    return {elements<T>(Layout::rows), rows_, cols_, row_stride_};
  }
  /// The first element, for a reader that knows where the others are. Throws InvalidArgument where T is not
  /// the element type or `layout` not the layout.
  template <class T>
  const T* elements(Layout layout) const {
    if (dtype_of<T> != dtype()) throw_other_type(dtype(), dtype_of<T>);
    if (layout != kind_.layout) throw_other_layout(kind_.layout, layout);
    return static_cast<const T*>(data_);
  }

 protected:
  // Static, so that a view can stay in registers; not inline, so that their callers are small enough to be
  // inlined.
  [[noreturn, gnu::cold]] static void throw_other_type(DType dtype, DType wanted);
  [[noreturn, gnu::cold]] static void throw_other_layout(Layout layout, Layout wanted);
  [[noreturn, gnu::cold]] static void throw_read_only(const char* call);

  const void* data_ = nullptr;
  BatchKind kind_;  // its access matters to AnyBatchView alone
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t row_stride_ = 0;
};

/// A batch whose element type, layout and access are known at run time. Elements can be written through it if
/// access() is read_write. Thread class: value.
class NODEWISE_PUBLIC AnyBatchView : public AnyConstBatchView {
 public:
  constexpr AnyBatchView() noexcept = default;
  /// Preconditions: as AnyConstBatchView's; with Access::read_write the memory may be written.
  constexpr AnyBatchView(void* data, BatchKind kind, std::size_t rows, std::size_t cols,
                         std::size_t row_stride) noexcept
      : AnyConstBatchView(data, kind, rows, cols, row_stride) {}

  constexpr Access access() const noexcept { return kind_.access; }
  /// Throws InvalidArgument where the memory may only be read.
  void* data() const {
    if (access() == Access::read_only) throw_read_only("data");
    return const_cast<void*>(data_);
  }
  /// The same batch, typed. Throws as AnyConstBatchView::as does. Throws InvalidArgument also where T is not
  /// const and the memory may only be read: use as<const float>() there.
  template <class T>
  BatchView<T> as() const {
    return {elements<T>(Layout::rows), rows_, cols_, row_stride_};
  }
  /// As AnyConstBatchView::elements. Throws as as().
  template <class T>
  T* elements(Layout layout) const {
    const auto* first = AnyConstBatchView::elements<T>(layout);
    if (!std::is_const_v<T> && access() == Access::read_only) throw_read_only("as");
    return const_cast<T*>(first);
  }
};

}  // namespace nodewise
