// Views of batches. A view is a pointer to a batch, with its numbers of rows and columns. It does not own the
// memory, and must not be used after the memory is released.
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

/// Whether memory is read-only or writable.
enum class Access : std::uint8_t { read_only, read_write };
NODEWISE_PUBLIC std::string_view to_string(Access access) noexcept;

/// How the elements of a batch are arranged. For a batch of R rows and C columns, element (row, col) is at
/// this position, counted in elements from the first element of the batch:
///   rows     row * C + col
///   columns  col * R + row
///   tiles    (row / tile_rows) * tile_rows * C + col * h + row % tile_rows
/// A tile consists of tile_rows consecutive rows, and its elements are arranged by columns. h is the number
/// of rows of the tile: tile_rows, or fewer in the last tile. R is smaller for a last batch that is short.
/// There is no padding.
enum class Layout : std::uint8_t { rows, columns, tiles };
NODEWISE_PUBLIC std::string_view to_string(Layout layout) noexcept;

/// The rows of a tile. One column of a full tile of f32 is as long as a cache line.
inline constexpr std::size_t tile_rows = 16;

/// The position that the comment of Layout defines. Preconditions, which are not checked: row < rows,
/// col < cols.
constexpr std::size_t element_offset(Layout layout, std::size_t rows, std::size_t cols, std::size_t row,
                                     std::size_t col) noexcept {
  if (layout == Layout::rows) return row * cols + col;
  if (layout == Layout::columns) return col * rows + row;
  const std::size_t in_tile = row % tile_rows, first = row - in_tile;
  return first * cols + col * std::min(tile_rows, rows - first) + in_tile;
}

/// A view of rows × columns elements of type T, row-major. The elements of a row are contiguous; consecutive
/// rows begin `row_stride` elements apart. Do not use it after its memory is released. Thread class: value.
template <class T>
class BatchView {
 public:
  using value_type = typename detail::ElementTraits<T>::type;

  constexpr BatchView() noexcept = default;
  /// Preconditions: row_stride ≥ cols, and unless the view is empty, `data` points to (rows - 1) × row_stride
  /// + cols elements.
  NODEWISE_EXPECTS_INLINE constexpr BatchView(T* data, std::size_t rows, std::size_t cols,
                                              std::size_t row_stride) noexcept
      : data_(data), rows_(rows), cols_(cols), row_stride_(row_stride) {
    NODEWISE_EXPECTS(row_stride >= cols && (data != nullptr || rows == 0 || cols == 0));
  }
  /// Converts a writable view to a read-only one.
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
  /// As operator(), with a check: throws OutOfRange.
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

/// Element type, layout and access of a batch, packed into one word so that views are cheap to make.
struct alignas(4) BatchKind {
  constexpr BatchKind() noexcept = default;
  constexpr BatchKind(DType type, Layout arranged = Layout::rows,
                      Access allowed = Access::read_write) noexcept
      : dtype(type), layout(arranged), access(allowed) {}
  DType dtype = DType::f64;
  Layout layout = Layout::rows;
  Access access = Access::read_write;
  std::uint8_t unused = 0;  ///< Fills the word, so that compilers copy it whole and not member by member.
};

/// A read-only batch whose element type and layout are known at run time. Const loaders return it, and every
/// AnyBatchView converts to it. Thread class: value.
class NODEWISE_PUBLIC AnyConstBatchView {
 public:
  constexpr AnyConstBatchView() noexcept = default;
  /// Preconditions: as for BatchView. If the layout is not Layout::rows, row_stride is cols.
  constexpr AnyConstBatchView(const void* data, BatchKind kind, std::size_t rows, std::size_t cols,
                              std::size_t row_stride) noexcept
      : data_(data), kind_(kind), rows_(rows), cols_(cols), row_stride_(row_stride) {}

  constexpr const void* data() const noexcept { return data_; }
  constexpr DType dtype() const noexcept { return kind_.dtype; }
  /// How the elements are arranged.
  constexpr Layout layout() const noexcept { return kind_.layout; }
  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t cols() const noexcept { return cols_; }
  /// In Layout::rows, the distance in elements between the beginnings of two consecutive rows; else cols().
  constexpr std::size_t row_stride() const noexcept { return row_stride_; }
  constexpr std::size_t size_bytes() const noexcept { return rows_ * cols_ * dtype_bytes(dtype()); }
  /// Bytes from the first element to the end of the last one.
  constexpr std::size_t extent_bytes() const noexcept {
    return size_bytes() == 0 ? 0 : ((rows_ - 1) * row_stride_ + cols_) * dtype_bytes(dtype());
  }

  /// The same batch as a BatchView; as<float>() and as<const float>() return the same type here. Throws
  /// InvalidArgument if T is not the element type, or if the batch is not in Layout::rows. LayoutView
  /// (layout.hpp) can read other layouts.
  template <class T>  // not constrained by Element, because the error of dtype_of lists the types
  BatchView<const T> as() const {
    return {elements<T>(Layout::rows), rows_, cols_, row_stride_};
  }
  /// The first element, for callers that compute the positions of the others. Throws InvalidArgument if T is
  /// not the element type, or if `layout` is not the batch's layout.
  template <class T>
  const T* elements(Layout layout) const {
    if (dtype_of<T> != dtype()) throw_other_type(dtype(), dtype_of<T>);
    if (layout != kind_.layout) throw_other_layout(kind_.layout, layout);
    return static_cast<const T*>(data_);
  }

 protected:
  // These are static, so that a view can stay in registers. They are defined in view.cpp, so that their
  // callers stay small enough to be inlined.
  [[noreturn, gnu::cold]] static void throw_other_type(DType dtype, DType wanted);
  [[noreturn, gnu::cold]] static void throw_other_layout(Layout layout, Layout wanted);
  [[noreturn, gnu::cold]] static void throw_read_only(const char* call);

  const void* data_ = nullptr;
  BatchKind kind_;  // kind_.access is used by AnyBatchView only
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t row_stride_ = 0;
};

/// A batch whose element type, layout and access are known at run time. Elements can be written through the
/// view if access() is read_write. Thread class: value.
class NODEWISE_PUBLIC AnyBatchView : public AnyConstBatchView {
 public:
  constexpr AnyBatchView() noexcept = default;
  /// Preconditions: as for AnyConstBatchView. With Access::read_write the memory must be writable.
  constexpr AnyBatchView(void* data, BatchKind kind, std::size_t rows, std::size_t cols,
                         std::size_t row_stride) noexcept
      : AnyConstBatchView(data, kind, rows, cols, row_stride) {}

  constexpr Access access() const noexcept { return kind_.access; }
  /// Throws InvalidArgument if the memory is read-only.
  void* data() const {
    if (access() == Access::read_only) throw_read_only("data");
    return const_cast<void*>(data_);
  }
  /// The same batch as a BatchView. Throws as AnyConstBatchView::as. Also throws InvalidArgument if the
  /// memory is read-only and T is not const; for such memory use as<const float>().
  template <class T>
  BatchView<T> as() const {
    return {elements<T>(Layout::rows), rows_, cols_, row_stride_};
  }
  /// As AnyConstBatchView::elements. Also throws InvalidArgument if the memory is read-only and T is not
  /// const.
  template <class T>
  T* elements(Layout layout) const {
    const auto* first = AnyConstBatchView::elements<T>(layout);
    if (!std::is_const_v<T> && access() == Access::read_only) throw_read_only("as");
    return const_cast<T*>(first);
  }
};

}  // namespace nodewise
