// Goal: a batch is read as any range of C++ is: row by row, or all of it where its rows follow one another,
// whatever its elements and whether they may be written. Method: views of memory of the test's own.
#include <nodewise/view.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <vector>

#include "support/with_type.hpp"

using namespace nodewise;

namespace {

// Two rows of three; in memory they are four apart, with a -1 behind each.
template <class T>
std::array<T, 8> with_gaps() {
  std::array<T, 8> elements{};
  for (std::size_t i = 0; i < 8; ++i)
    elements[i] = i % 4 == 3 ? static_cast<T>(-1) : static_cast<T>(static_cast<float>(i / 4 * 3 + i % 4));
  return elements;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("a row is a range of numbers", T, rows) {
  auto elements = with_gaps<T>();
  const BatchView<T> view(elements.data(), 2, 3, 4);
  const BatchView<const T> read_only = view;
  std::vector<double> seen;
  for (const T x : view.row(0)) seen.push_back(static_cast<double>(x));
  for (const T x : read_only.row(1)) seen.push_back(static_cast<double>(x));
  CHECK(seen == std::vector<double>{0, 1, 2, 3, 4, 5});
  for (T& x : view.row(1)) x = T{};
  CHECK(std::ranges::count(read_only.row(1), T{}) == 3);
  static_assert(std::is_same_v<decltype(read_only.row(0)), std::span<const T>>);
}

TEST_CASE_TEMPLATE_APPLY(rows, test::ElementTypes);

TEST_CASE("half-width floats are read as float") {
  auto halves = with_gaps<float16>();
  auto brains = with_gaps<bfloat16>();
  float sum = 0;
  for (const float x : BatchView<float16>(halves.data(), 2, 3, 4).row(1)) sum += x;
  for (const float x : BatchView<const bfloat16>(brains.data(), 2, 3, 4).row(1)) sum += x;
  CHECK(sum == 24.0F);
}

TEST_CASE("a view whose rows follow one another is one span") {
  std::vector<float> elements{0, 1, 2, 3, 4, 5};
  const BatchView<float> view(elements.data(), 2, 3, 3);
  CHECK(std::ranges::equal(view.flat(), elements));
  view.flat()[5] = 7;
  CHECK(view(1, 2) == 7.0F);
  CHECK(BatchView<const float>(view).flat().data() == elements.data());
  CHECK(BatchView<float>().flat().empty());
  // One row has no room behind it that anybody could see.
  CHECK(BatchView<float>(elements.data(), 1, 3, 6).flat().size() == 3);
}

TEST_CASE("a view with room between its rows is no span") {
  auto elements = with_gaps<double>();
  const BatchView<double> view(elements.data(), 2, 3, 4);
  CHECK_THROWS_WITH_AS(
      view.flat(),
      "BatchView::flat: the rows are 4 elements apart and only 3 long; go row by row, with row(i)",
      InvalidArgument);
}
