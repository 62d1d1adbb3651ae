// Goal: means and variances of features have the bits that docs/layouts.md defines, whatever the layout, the
// batches, the workers, the instruction set and the caller's floating-point environment. Method: the
// definition written a second time, upon support/exact_reference.hpp; every element type, data of any
// magnitude and mild ones, each read from a buffer and as scattered runs; then special values, one at a time,
// and columns too long for the reference against mean().
#include <nodewise/feature_statistics.hpp>
#include <nodewise/layout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/error.hpp>
#include <nodewise/means.hpp>

#include "features/statistics.hpp"
#include "kernels/dispatch.hpp"
#include "means/exact_sum.hpp"
#include "support/exact_reference.hpp"
#include "support/machines.hpp"
#include "support/random_elements.hpp"
#include "support/scattered_stream.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::same;
using test::ScatteredStream;
using test::workers;
using test::World;

namespace {

constexpr Layout all_layouts[] = {Layout::rows, Layout::columns, Layout::tiles};

double as_double(double value) {
  return value;
}
template <class Integer>
double as_double(Integer value) {
  return static_cast<double>(value);
}

template <class T>
FeatureStatistics reference_of(const T* data, Shape shape, std::uint64_t ddof) {
  FeatureStatistics expected;
  for (std::uint64_t col = 0; col < shape.features; ++col) {
    reference::Mean mean, squares;
    for (std::uint64_t row = 0; row < shape.samples; ++row)
      mean.add(reference::value_of(data[row * shape.features + col]));
    expected.means.push_back(mean.result());
    for (std::uint64_t row = 0; row < shape.samples; ++row) {
      const double d =
          as_double(reference::value_of(data[row * shape.features + col])) - expected.means.back();
      squares.add(d * d);
    }
    const bool defined = shape.samples > ddof && std::isfinite(expected.means.back());
    expected.variances.push_back(
        squares.divided(defined ? static_cast<std::uint32_t>(shape.samples - ddof) : 0));
  }
  return expected;
}

FeatureStatistics reference_of(const std::byte* data, DType dtype, Shape shape, std::uint64_t ddof) {
  FeatureStatistics expected;
  test::with_type(dtype, [&](auto zero) {
    expected = reference_of(reinterpret_cast<const decltype(zero)*>(data), shape, ddof);
  });
  return expected;
}

// The same data in each layout.
struct PlacedSet {
  Team team;
  Plan plan;
  std::vector<Buffer> by_layout;
};

PlacedSet dataset(const std::byte* rows, Shape shape, DType dtype, std::uint64_t batch_size,
                  const TeamOptions& options) {
  const auto topology = Topology::this_machine();
  PlacedSet set{Team(topology, options), Plan(topology, {shape, dtype, batch_size}), {}};
  for (const Layout layout : all_layouts) {
    set.by_layout.push_back(Buffer::allocate(set.plan, set.team));
    set.by_layout.back().assume_layout(layout);
    for (std::uint64_t batch = 0; batch < set.plan.num_batches(); ++batch) {
      const std::uint64_t first = set.plan.dataset().batch_bytes(batch).begin;
      convert_batch(rows + first, Layout::rows, set.by_layout.back().data() + first, layout, dtype,
                    set.plan.dataset().batch_rows(batch).count(), shape.features);
    }
  }
  return set;
}

unsigned differences(const std::vector<double>& a, const std::vector<double>& b) {
  unsigned count = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) count += same(a[i], b[i]) ? 0 : 1;
  return count;
}

void check_all_layouts(const PlacedSet& set, const FeatureStatistics& expected, std::uint64_t ddof) {
  const auto check = [&](const KernelSet& kernels, BatchStream& stream, Layout layout) {
    CAPTURE(to_string(layout));
    CAPTURE(kernels.instruction_set);
    const auto found = feature_statistics_with(kernels, stream, set.team, ddof);
    CHECK(differences(found.means, expected.means) == 0);
    CHECK(differences(found.variances, expected.variances) == 0);
    REQUIRE(stream.rewind());
    CHECK(differences(feature_means_with(kernels, stream, set.team), expected.means) == 0);
  };
  for (const Layout layout : all_layouts) {
    const Buffer& buffer = set.by_layout[static_cast<std::size_t>(layout)];
    for (const KernelSet& kernels : runnable_kernels()) {
      BufferStream stream(buffer);
      check(kernels, stream, layout);
    }
    ScatteredStream scattered(set.plan.dataset(), buffer.data(),
                              {.nodes = 1, .every_third_node_unknown = true, .layout = layout});
    check(best_kernels(), scattered, layout);
    CHECK(scattered.leased() == 0);
  }
}

template <class T>
void check_elements(const std::vector<T>& elements, std::uint64_t features, std::uint64_t batch_size) {
  const Shape shape{elements.size() / features, features};
  const auto* bytes = reinterpret_cast<const std::byte*>(elements.data());
  const auto set = dataset(bytes, shape, dtype_of<T>, batch_size, workers(3));
  check_all_layouts(set, reference_of(elements.data(), shape, 0), 0);
}

std::vector<double> normal_like(std::size_t count, std::uint64_t seed) {
  test::SplitMix64 random(seed);
  std::vector<double> values(count);
  for (double& value : values) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random() >> 11) * 0x1p-53;
    value = sum;
  }
  return values;
}

}  // namespace

TEST_CASE("every element type, any and mild data, batches of many shapes") {
  World world(test::even_machine(2));
  struct Case {
    Shape shape;
    std::uint64_t batch_size;
  };
  const Case cases[] = {{{1, 1}, 1},      {{37, 5}, 10},     {{300, 17}, 64},
                        {{260, 70}, 260}, {{2100, 2}, 1500}, {{40, 1100}, 25}};
  for (const DType dtype : all_dtypes)
    for (const Case& c : cases)
      for (const auto kind : {test::any_bits, test::mild_bits}) {
        if (kind == test::mild_bits && test::exponent_bits(dtype) == 0) continue;
        CAPTURE(dtype_name(dtype));
        CAPTURE(c.shape.samples);
        CAPTURE(c.shape.features);
        const std::uint64_t ddof = c.shape.samples % 2;
        const auto rows = test::elements(dtype, c.shape.samples * c.shape.features, kind, c.shape.samples);
        const auto set = dataset(rows.data(), c.shape, dtype, c.batch_size, workers(3));
        check_all_layouts(set, reference_of(rows.data(), dtype, c.shape, ddof), ddof);
      }
}

TEST_CASE("the same bits from any number of workers and nodes, with and without stealing, of any batches") {
  const Shape shape{3000, 7};
  const auto values = normal_like(shape.samples * shape.features, 3);
  const auto* rows = reinterpret_cast<const std::byte*>(values.data());
  const FeatureStatistics expected = reference_of(values.data(), shape, 1);
  for (const unsigned nodes : {1U, 3U}) {
    World world(test::even_machine(nodes));
    for (const unsigned count : {1U, 2U, 5U})
      for (const std::uint64_t batch_size : {1U, 16U, 50U, 1000U, 3000U}) {
        CAPTURE(nodes);
        CAPTURE(count);
        CAPTURE(batch_size);
        const auto scheduling = count == 2 ? Scheduling::stealing : Scheduling::local;
        const auto set = dataset(rows, shape, DType::f64, batch_size, workers(count, scheduling));
        for (const Layout layout : all_layouts) {
          const Buffer& buffer = set.by_layout[static_cast<std::size_t>(layout)];
          const FeatureStatistics found = feature_statistics(buffer, set.team, 1);
          CHECK(differences(found.means, expected.means) == 0);
          CHECK(differences(found.variances, expected.variances) == 0);
          CHECK(differences(feature_means(buffer, set.team), expected.means) == 0);
        }
      }
  }
}

TEST_CASE("columns so long that several workers have parts of each") {
  World world(test::machine({{0, 4, 1024 * test::MiB}}));
  const Shape shape{300000, 2};
  const auto values = normal_like(shape.samples * shape.features, 5);
  const auto set =
      dataset(reinterpret_cast<const std::byte*>(values.data()), shape, DType::f64, 300000, workers(3));
  std::vector<double> expected;
  for (std::uint64_t col = 0; col < 2; ++col) {
    std::vector<double> column;
    for (std::uint64_t row = 0; row < shape.samples; ++row) column.push_back(values[row * 2 + col]);
    expected.push_back(mean(column.data(), DType::f64, column.size()));
    std::vector<double> squares;
    for (const double x : column) squares.push_back((x - expected.back()) * (x - expected.back()));
    expected.push_back(mean(squares.data(), DType::f64, squares.size()));
  }
  const FeatureStatistics statistics{{expected[0], expected[2]}, {expected[1], expected[3]}};
  check_all_layouts(set, statistics, 0);
}

TEST_CASE("so many features that tiles are read by parts") {
  World world(test::machine({{0, 4, 1024 * test::MiB}}));
  std::vector<std::int16_t> values(20 * 5000);
  test::SplitMix64 random(8);
  for (std::int16_t& value : values) value = static_cast<std::int16_t>(random());
  check_elements(values, 5000, 20);
}

TEST_CASE("squares that are finite and whose sum is not") {
  World world(test::even_machine(2));
  const std::vector<double> values = {1.3e154, 1, -1.3e154, -1};
  const auto set =
      dataset(reinterpret_cast<const std::byte*>(values.data()), {2, 2}, DType::f64, 2, workers(1));
  for (const Layout layout : all_layouts) {
    const auto found = feature_statistics(set.by_layout[static_cast<std::size_t>(layout)], set.team, 1);
    CHECK(found.variances == std::vector<double>{std::numeric_limits<double>::infinity(), 2});
  }
}

TEST_CASE("variances are as near to the exact ones as docs/layouts.md says") {
  World world(test::even_machine(2));
  test::SplitMix64 random(11);
  for (const std::int64_t offset : {std::int64_t{0}, std::int64_t{1000}, std::int64_t{1000000000}})
    for (const std::uint64_t spread : {3U, 1000U, 1000000U}) {
      constexpr std::uint64_t n = 501;
      std::vector<double> values;
      Int128 sum = 0, squares = 0;  // of integers, exactly
      for (std::uint64_t i = 0; i < n; ++i) {
        const std::int64_t value = offset + static_cast<std::int64_t>(random() % spread);
        values.push_back(static_cast<double>(value));
        sum += value;
        squares += static_cast<Int128>(value) * value;
      }
      const auto set =
          dataset(reinterpret_cast<const std::byte*>(values.data()), {n, 1}, DType::f64, 100, workers(2));
      const auto found = feature_statistics(set.by_layout[0], set.team);
      const auto exact = static_cast<long double>(n * squares - sum * sum) / (n * n);
      const auto mean = static_cast<long double>(sum) / n;
      const long double u = 0x1p-53L;
      const long double bound = 4.02L * u * exact + 1.01L * u * u * mean * mean;
      CAPTURE(offset);
      CAPTURE(spread);
      CHECK(std::fabs(static_cast<long double>(found.variances[0]) - exact) <= bound);
      CHECK(std::fabs(static_cast<long double>(found.means[0]) - mean) <= u * mean);
    }
}

TEST_CASE("infinities and NaN are of their feature alone") {
  World world(test::even_machine(2));
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  auto values = normal_like(400 * 6, 9);
  const auto set_at = [&](std::size_t row, std::size_t col, double value) { values[row * 6 + col] = value; };
  set_at(3, 0, inf);
  set_at(7, 1, -inf);
  set_at(7, 2, inf);
  set_at(399, 2, -inf);
  set_at(100, 3, nan);
  set_at(5, 4, -nan);
  for (const std::uint64_t batch_size : {7U, 16U, 400U}) check_elements(values, 6, batch_size);
  std::vector<float> floats(values.begin(), values.end());
  check_elements(floats, 6, 33);
  std::vector<float16> halves;
  for (const float value : floats) halves.emplace_back(value);
  check_elements(halves, 6, 33);
}

TEST_CASE("cancellation, magnitudes that overflow when squared or added, subnormals, zeros of both signs") {
  World world(test::even_machine(2));
  std::vector<double> values;
  test::SplitMix64 random(1);
  for (std::size_t row = 0; row < 500; ++row) {
    const double sign = row % 2 == 0 ? 1 : -1;
    values.push_back(sign * 1e300 + static_cast<double>(row));  // cancels, its squares overflow
    values.push_back(1e9 +
                     static_cast<double>(random() % 1000) * 0x1p-20);  // a mean that is large, little else
    values.push_back(1.7e308);                                         // the sum overflows a double
    values.push_back(static_cast<double>(random() % 100) * 0x1p-1074);
    values.push_back(sign * 0.0);
    values.push_back(sign * std::ldexp(1.0, static_cast<int>(random() % 1000) - 500));
  }
  for (const std::uint64_t batch_size : {1U, 16U, 500U}) check_elements(values, 6, batch_size);
}

TEST_CASE("no samples, and fewer than the degrees of freedom") {
  World world(test::even_machine(2));
  const auto topology = Topology::this_machine();
  const Team team(topology, workers(2));
  Buffer empty = Buffer::allocate(Plan(topology, {{0, 3}, DType::f32, 5}), team);
  for (const Layout layout : all_layouts) {
    empty.assume_layout(layout);
    const FeatureStatistics statistics = feature_statistics(empty, team);
    CHECK(differences(statistics.means, std::vector<double>(3, std::bit_cast<double>(0x7ff8000000000000))) ==
          0);
    CHECK(differences(statistics.variances, statistics.means) == 0);
  }
  const std::vector<double> values = {1, 2, 3, 5};
  const auto set =
      dataset(reinterpret_cast<const std::byte*>(values.data()), {2, 2}, DType::f64, 2, workers(1));
  for (const std::uint64_t ddof : {0U, 1U, 2U, 3U}) {
    const auto found = feature_statistics(set.by_layout[0], set.team, ddof);
    CHECK(found.means == std::vector<double>{2, 3.5});
    if (ddof < 2)
      CHECK(found.variances == (ddof == 0 ? std::vector<double>{1, 2.25} : std::vector<double>{2, 4.5}));
    else
      CHECK(std::isnan(found.variances[0]));
  }
}

TEST_CASE("the caller's rounding mode and flags change nothing and are left alone") {
  World world(test::even_machine(2));
  const auto values = normal_like(900, 4);
  const auto set =
      dataset(reinterpret_cast<const std::byte*>(values.data()), {300, 3}, DType::f64, 40, workers(2));
  const FeatureStatistics expected = reference_of(values.data(), {300, 3}, 0);
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    std::feclearexcept(FE_ALL_EXCEPT);
    const FeatureStatistics found = feature_statistics(set.by_layout[1], set.team);
    const int mode_after = std::fegetround(), flags = std::fetestexcept(FE_ALL_EXCEPT);
    std::fesetround(FE_TONEAREST);
    CHECK(mode_after == mode);
    CHECK(flags == 0);
    CHECK(differences(found.means, expected.means) == 0);
    CHECK(differences(found.variances, expected.variances) == 0);
  }
}

TEST_CASE("runs that are lent a few at a time, in another order at each pass, on several nodes") {
  World world(test::even_machine(3));
  const Team team(Topology::this_machine(), workers(5));
  const Dataset dataset({3001, 7}, DType::f64, 50);
  const auto values = normal_like(3001 * 7, 12);
  const FeatureStatistics expected = reference_of(values.data(), dataset.shape(), 1);
  for (const std::size_t most_leased : {1U, 2U, 100U}) {
    ScatteredStream stream(dataset, reinterpret_cast<const std::byte*>(values.data()),
                           {.nodes = 3, .every_third_node_unknown = true, .most_leased = most_leased});
    const FeatureStatistics found = feature_statistics(stream, team, 1);
    CHECK(differences(found.means, expected.means) == 0);
    CHECK(differences(found.variances, expected.variances) == 0);
    CHECK(stream.leased() == 0);
  }
}

TEST_CASE("only the samples that a stream gives count") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(2));
  const std::vector<double> values = {1, 2, 3, 5, 100, 200};
  const auto memory = std::make_shared<std::vector<double>>(values);
  const std::shared_ptr<const std::byte> data(memory, reinterpret_cast<const std::byte*>(memory->data()));
  std::vector<BatchLease> runs;
  runs.emplace_back(data, BatchRange{0, 2});
  test::ListStream stream({{3, 2}, DType::f64, 1}, std::move(runs));
  CHECK(feature_means(stream, team) == std::vector<double>{2, 3.5});
  CHECK(std::isnan(feature_means(stream, team)[0]));  // it stands at its end
}

TEST_CASE("variances of a stream that can be read only once are refused before anything is read") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(2));
  const Dataset dataset({9, 2}, DType::f32, 2);
  const auto data = test::elements_of(dataset);
  ScatteredStream stream(dataset, data.data(), {.once = true});
  CHECK_THROWS_WITH_AS(
      feature_statistics(stream, team),
      "feature_statistics: variances take two passes, and this stream can be read only once; "
      "feature_means takes one",
      InvalidArgument);
  CHECK(feature_means(stream, team).size() == 2);
  CHECK(std::isnan(feature_means(stream, team)[0]));
}

TEST_CASE("a stream that cannot be read throws from either pass") {
  World world(test::even_machine(2));
  const Team team(Topology::this_machine(), workers(2));
  const Dataset dataset({9, 2}, DType::f32, 2);
  const auto data = test::elements_of(dataset);
  ScatteredStream stream(dataset, data.data(), {.unreadable_batch = 3});
  CHECK_THROWS_WITH_AS(feature_statistics(stream, team), "batch 3", std::runtime_error);
  CHECK(stream.leased() == 0);
}
