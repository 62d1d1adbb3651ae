// A dataset is a matrix of elements of one type; its rows are called samples, and its columns features. A
// batch is some consecutive rows of a dataset. The types here count rows, batches and bytes. They say nothing
// about the memory that holds the elements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include <nodewise/dtype.hpp>
#include <nodewise/export.hpp>

namespace nodewise {

/// Rows and columns of a dataset.
struct Shape {
  std::uint64_t samples = 0;   ///< May be 0.
  std::uint64_t features = 0;  ///< At least 1.
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// Iterates over consecutive numbers. Thread class: value.
class NumberIterator {
 public:
  using iterator_concept = std::forward_iterator_tag;
  using iterator_category = std::input_iterator_tag;  // operator* gives no reference
  using value_type = std::uint64_t;
  using difference_type = std::ptrdiff_t;
  using reference = std::uint64_t;
  using pointer = void;

  constexpr NumberIterator() noexcept = default;
  constexpr explicit NumberIterator(std::uint64_t number) noexcept : number_(number) {}
  constexpr std::uint64_t operator*() const noexcept { return number_; }
  constexpr NumberIterator& operator++() noexcept {
    ++number_;
    return *this;
  }
  constexpr NumberIterator operator++(int) noexcept { return NumberIterator(number_++); }
  friend constexpr bool operator==(NumberIterator, NumberIterator) noexcept = default;

 private:
  std::uint64_t number_ = 0;
};

/// A half-open range of rows, [start, stop). `for (auto row : rows)` iterates over the numbers of the rows.
/// Precondition of that loop: start <= stop.
struct RowRange {
  std::uint64_t start = 0;
  std::uint64_t stop = 0;
  std::uint64_t count() const noexcept { return stop - start; }
  NumberIterator begin() const noexcept { return NumberIterator(start); }
  NumberIterator end() const noexcept { return NumberIterator(stop); }
  friend bool operator==(const RowRange&, const RowRange&) = default;
};

/// A half-open range of bytes, counted from the first byte of the dataset.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bytes() const noexcept { return end - begin; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// A half-open range of batches, [start, stop). `for (auto batch : part.batches)` iterates over their
/// numbers.
struct BatchRange {
  std::uint64_t start = 0;
  std::uint64_t stop = 0;
  std::uint64_t count() const noexcept { return stop - start; }
  NumberIterator begin() const noexcept { return NumberIterator(start); }
  NumberIterator end() const noexcept { return NumberIterator(stop); }
  friend bool operator==(const BatchRange&, const BatchRange&) = default;
};

/// The shape, element type and batch size of a dataset. They are checked when a Dataset is made: 64 bits can
/// count all its rows, batches and bytes. Thread class: value. Cost: O(1) for each member.
class NODEWISE_PUBLIC Dataset {
 public:
  /// An empty dataset: no samples, no features, no batches.
  constexpr Dataset() noexcept = default;
  /// Throws InvalidArgument if there are no features, if the batch size is 0, or if there are more bytes than
  /// 64 bits can count.
  Dataset(Shape shape, DType dtype, std::uint64_t batch_size);

  Shape shape() const noexcept { return shape_; }
  DType dtype() const noexcept { return dtype_; }
  std::uint64_t batch_size() const noexcept { return batch_size_; }  ///< In samples.
  std::uint64_t num_batches() const noexcept { return num_batches_; }
  /// The number of full batches: all but a last one that is short.
  std::uint64_t num_full_batches() const noexcept {
    return batch_size_ == 0 ? 0 : shape_.samples / batch_size_;
  }

  std::uint64_t row_bytes() const noexcept { return row_bytes_; }
  std::uint64_t total_bytes() const noexcept { return shape_.samples * row_bytes_; }
  /// The rows of the largest batch, which is the first one.
  std::uint64_t most_batch_rows() const noexcept { return std::min(batch_size_, shape_.samples); }
  std::uint64_t most_batch_bytes() const noexcept { return most_batch_rows() * row_bytes_; }

  /// Throws OutOfRange if there is no such batch.
  RowRange batch_rows(std::uint64_t batch) const {
    if (batch >= num_batches_) [[unlikely]]
      throw_no_batch(batch);
    const std::uint64_t begin = batch * batch_size_;
    return {begin, begin + std::min(batch_size_, shape_.samples - begin)};
  }
  /// Throws as batch_rows.
  ByteRange batch_bytes(std::uint64_t batch) const { return bytes(batch_rows(batch)); }
  /// Throws OutOfRange if `rows` ends behind the dataset, or before it begins.
  ByteRange bytes(RowRange rows) const {
    if (rows.start > rows.stop || rows.stop > shape_.samples) [[unlikely]]
      throw_no_rows(rows);
    return {rows.start * row_bytes_, rows.stop * row_bytes_};
  }
  /// Throws OutOfRange if `batches` ends behind the dataset, or before it begins.
  RowRange rows(BatchRange batches) const;
  ByteRange bytes(BatchRange batches) const { return bytes(rows(batches)); }

  friend bool operator==(const Dataset&, const Dataset&) = default;

 private:
  [[noreturn]] void throw_no_batch(std::uint64_t batch) const;
  [[noreturn]] void throw_no_rows(RowRange rows) const;

  Shape shape_;
  std::uint64_t batch_size_ = 0;
  std::uint64_t num_batches_ = 0;
  std::uint64_t row_bytes_ = 0;
  DType dtype_ = DType::u8;
};

}  // namespace nodewise
