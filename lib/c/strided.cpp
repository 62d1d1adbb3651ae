#include "c/strided.hpp"

#include <cstring>
#include <memory>

namespace nodewise::c {
namespace {

template <std::size_t bytes>
void copy_row(const std::byte* from, std::int64_t stride, std::uint64_t count, std::byte* to) {
  for (std::uint64_t i = 0; i < count; ++i, from += stride, to += bytes) std::memcpy(to, from, bytes);
}

class StridedFormat final : public SourceFormat {
 public:
  StridedFormat(const void* data, const Dataset& dataset, std::int64_t row_stride, std::int64_t col_stride)
      : data_(static_cast<const std::byte*>(data)),
        dataset_(dataset),
        row_stride_(row_stride),
        col_stride_(col_stride) {}

  Shape shape() const override { return dataset_.shape(); }
  DType dtype() const override { return dataset_.dtype(); }
  Identity identity() const override { return {}; }

  void read(RowRange rows, std::byte* to, const Stop& stop) const override {
    constexpr std::uint64_t rows_between_polls = 4096;
    for (std::uint64_t row = rows.start; row < rows.stop; ++row, to += dataset_.row_bytes()) {
      if ((row - rows.start) % rows_between_polls == 0) stop.check("reading a matrix");
      read_row(data_ + static_cast<std::int64_t>(row) * row_stride_, to);
    }
  }

 private:
  void read_row(const std::byte* from, std::byte* to) const {
    const std::size_t bytes = dtype_bytes(dataset_.dtype());
    const std::uint64_t count = dataset_.shape().features;
    if (col_stride_ == static_cast<std::int64_t>(bytes))
      std::memcpy(to, from, dataset_.row_bytes());
    else if (bytes == 1)
      copy_row<1>(from, col_stride_, count, to);
    else if (bytes == 2)
      copy_row<2>(from, col_stride_, count, to);
    else if (bytes == 4)
      copy_row<4>(from, col_stride_, count, to);
    else
      copy_row<8>(from, col_stride_, count, to);
  }

  const std::byte* data_;
  Dataset dataset_;
  std::int64_t row_stride_;
  std::int64_t col_stride_;
};

}  // namespace

Source strided_source(const void* data, const Dataset& dataset, std::int64_t row_stride,
                      std::int64_t col_stride) {
  return Source(std::make_shared<StridedFormat>(data, dataset, row_stride, col_stride));
}

}  // namespace nodewise::c
