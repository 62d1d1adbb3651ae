// Goal: what a dataset says of its rows and bytes holds for every size, and sizes that 64 bits cannot count
// are refused when it is made. Method: sizes whose answers are known, the largest that there are, and every
// answer held against counting row by row.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <ranges>
#include <vector>

#include <nodewise/dataset.hpp>
#include <nodewise/error.hpp>

#include "support/errors.hpp"

using namespace nodewise;

namespace {

constexpr auto most = ~std::uint64_t{0};

}  // namespace

TEST_CASE("rows, bytes and batches of a dataset with a short last batch") {
  const Dataset digits({1797, 64}, DType::f64, 100);
  CHECK(digits.shape() == Shape{1797, 64});
  CHECK(digits.dtype() == DType::f64);
  CHECK(digits.batch_size() == 100);
  CHECK(digits.num_batches() == 18);
  CHECK(digits.num_full_batches() == 17);
  CHECK(digits.row_bytes() == 512);
  CHECK(digits.total_bytes() == 1797 * 512);
  CHECK(digits.most_batch_rows() == 100);
  CHECK(digits.most_batch_bytes() == 51200);
  CHECK(digits.batch_rows(17) == RowRange{1700, 1797});
  CHECK(digits.batch_bytes(16) == ByteRange{1600 * 512, 1700 * 512});
  CHECK(digits.rows({16, 18}) == RowRange{1600, 1797});
  CHECK(digits.bytes(BatchRange{0, 18}) == ByteRange{0, 1797 * 512});
  CHECK(digits.bytes(RowRange{3, 5}) == ByteRange{3 * 512, 5 * 512});
}

TEST_CASE("batches follow one another and cover every row, whatever the sizes") {
  for (const std::uint64_t samples : {0U, 1U, 2U, 6U, 7U, 8U, 100U})
    for (const std::uint64_t batch_size : {1U, 2U, 7U, 100U, 1000U}) {
      const Dataset dataset({samples, 3}, DType::i16, batch_size);
      std::uint64_t row = 0;
      for (std::uint64_t batch = 0; batch < dataset.num_batches(); ++batch) {
        const RowRange rows = dataset.batch_rows(batch);
        CHECK(rows.start == row);
        CHECK(rows.count() > 0);
        CHECK(rows.count() <= dataset.most_batch_rows());
        CHECK(dataset.rows({batch, batch + 1}) == rows);
        CHECK(dataset.batch_bytes(batch) == ByteRange{rows.start * 6, rows.stop * 6});
        row = rows.stop;
      }
      CHECK(row == samples);
      CHECK(dataset.rows({dataset.num_batches(), dataset.num_batches()}) == RowRange{samples, samples});
    }
}

TEST_CASE("a range is gone through number by number") {
  const Dataset digits({1797, 64}, DType::f64, 100);
  std::vector<std::uint64_t> rows;
  for (const auto row : digits.batch_rows(17)) rows.push_back(row);
  REQUIRE(rows.size() == 97);
  CHECK(rows.front() == 1700);
  CHECK(rows.back() == 1796);
  const BatchRange batches{3, 6};
  CHECK(std::vector<std::uint64_t>(batches.begin(), batches.end()) == std::vector<std::uint64_t>{3, 4, 5});
  CHECK(std::ranges::count(BatchRange{7, 7}, 7) == 0);
  static_assert(std::ranges::forward_range<BatchRange> && std::ranges::forward_range<const RowRange>);
  // The last number that there is can be the end.
  CHECK(*std::ranges::next(BatchRange{most - 1, most}.begin()) == most);
}

TEST_CASE("what is not in the dataset is out of range") {
  const Dataset dataset({10, 1}, DType::u8, 4);
  CHECK(test::message_of<OutOfRange>([&] { dataset.batch_rows(3); }) ==
        "batch 3 does not exist; there are 3, counted from 0");
  CHECK_THROWS_AS(dataset.batch_bytes(most), OutOfRange);
  CHECK_THROWS_AS(dataset.rows({0, 4}), OutOfRange);
  CHECK_THROWS_AS(dataset.rows({2, 1}), OutOfRange);
  CHECK_THROWS_AS(dataset.bytes(RowRange{0, 11}), OutOfRange);
  CHECK_THROWS_AS(dataset.bytes(RowRange{5, 4}), OutOfRange);
  CHECK_THROWS_AS(Dataset().batch_rows(0), OutOfRange);
}

TEST_CASE("the largest datasets are counted, and one element more is refused") {
  const Dataset largest({most, 1}, DType::u8, 1);
  CHECK(largest.num_batches() == most);
  CHECK(largest.batch_bytes(most - 1) == ByteRange{most - 1, most});
  const Dataset one_batch({10, 1}, DType::f64, most);
  CHECK(one_batch.num_batches() == 1);
  CHECK(one_batch.batch_rows(0) == RowRange{0, 10});
  CHECK(one_batch.most_batch_bytes() == 80);
  const auto refusal = [](Shape shape, DType dtype, std::uint64_t batch_size) {
    return test::message_of<InvalidArgument>([&] { Dataset(shape, dtype, batch_size); });
  };
  CHECK(refusal({most, 1}, DType::u16, 1) ==
        "Dataset: 18446744073709551615 samples x 2 bytes is more than 64 bits can count");
  CHECK(refusal({0, most}, DType::u16, 1) ==
        "Dataset: 18446744073709551615 features x 2 bytes is more than 64 bits can count");
  CHECK(refusal({1, 0}, DType::u8, 1) == "Dataset: a dataset has at least one feature, not 0");
  CHECK(refusal({1, 1}, DType::u8, 0) == "Dataset: a batch has at least one sample, not 0");
}
