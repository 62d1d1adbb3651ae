// Views of a batch. They point into the dataset's own memory and never own it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>

#include <nodewise/dtype.hpp>
#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>

#if __has_include(<mdspan>)
#include <mdspan>
#endif

namespace nodewise {

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

/// A batch view whose element type is known at run time only. Thread class: value.
class AnyBatchView {
 public:
  constexpr AnyBatchView() noexcept = default;
  constexpr AnyBatchView(void* data, DType dtype, std::size_t rows, std::size_t cols,
                         std::size_t row_stride) noexcept
      : data_(data), dtype_(dtype), rows_(rows), cols_(cols), row_stride_(row_stride) {}

  constexpr void* data() const noexcept { return data_; }
  constexpr DType dtype() const noexcept { return dtype_; }
  constexpr std::size_t rows() const noexcept { return rows_; }
  constexpr std::size_t cols() const noexcept { return cols_; }
  constexpr std::size_t row_stride() const noexcept { return row_stride_; }  ///< In elements.
  constexpr std::size_t size_bytes() const noexcept { return rows_ * cols_ * dtype_bytes(dtype_); }

  /// The same batch, typed. Throws InvalidArgument where T is not its element type.
  template <class T>  // not Element: dtype_of lists the twelve where T is none of them
  BatchView<T> as() const {
    if (dtype_of<T> != dtype_) throw_other(dtype_, dtype_of<T>);
    return {static_cast<T*>(data_), rows_, cols_, row_stride_};
  }

 private:
  // Apart, so that what does not throw is short enough to be inlined; static, so that the view need not be in
  // memory.
  [[noreturn, gnu::cold, gnu::noinline]] static void throw_other(DType dtype, DType wanted) {
    throw InvalidArgument("AnyBatchView::as: the elements are " + std::string(dtype_name(dtype)) + ", not " +
                          std::string(dtype_name(wanted)));
  }

  void* data_ = nullptr;
  DType dtype_ = DType::f64;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t row_stride_ = 0;
};

}  // namespace nodewise
