#include <nodewise/dataset.hpp>

#include <optional>
#include <string>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace nodewise {
namespace {

using base::text;

std::uint64_t product(std::uint64_t a, std::uint64_t b, const std::string& calculation) {
  const auto result = base::checked_mul(a, b);
  if (!result) throw InvalidArgument(text("Dataset: ", calculation, " is more than 64 bits can count"));
  return *result;
}

}  // namespace

Dataset::Dataset(Shape shape, DType dtype, std::uint64_t batch_size)
    : shape_(shape), batch_size_(batch_size), dtype_(dtype) {
  const auto [samples, features] = shape;
  if (features == 0) throw InvalidArgument("Dataset: a dataset has at least one feature, not 0");
  if (batch_size == 0) throw InvalidArgument("Dataset: a batch has at least one sample, not 0");
  const std::size_t element = dtype_bytes(dtype);
  row_bytes_ = product(features, element, text(features, " features x ", element, " bytes"));
  product(samples, row_bytes_, text(samples, " samples x ", row_bytes_, " bytes"));
  num_batches_ = num_full_batches() + (samples % batch_size != 0);
}

RowRange Dataset::rows(BatchRange batches) const {
  if (batches.start > batches.stop || batches.stop > num_batches_)
    throw OutOfRange(text("batches ", batches.start, " to ", batches.stop, " are not among the ",
                          num_batches_, " that there are"));
  if (batches.count() == 0 && batches.start == num_batches_) return {shape_.samples, shape_.samples};
  return {batches.start * batch_size_,
          batches.stop == num_batches_ ? shape_.samples : batches.stop * batch_size_};
}

void Dataset::throw_no_batch(std::uint64_t batch) const {
  throw OutOfRange(text("batch ", batch, " does not exist; there are ", num_batches_,
                        num_batches_ == 0 ? "" : ", counted from 0"));
}

void Dataset::throw_no_rows(RowRange rows) const {
  throw OutOfRange(
      text("rows ", rows.start, " to ", rows.stop, " are not among the ", shape_.samples, " that there are"));
}

}  // namespace nodewise
