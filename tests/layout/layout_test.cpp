// Goal: an element is where the layout says, whatever view or conversion looks for it or puts it there;
// nothing beside it is touched; each worker converts what lies on its node. Method: the definition of Layout
// written a second time, as a list of places; every pair of layouts, every width of elements, every
// instruction set that this processor can run; shapes around the edges of tiles, of vectors and of blocks,
// then random ones.
#include <nodewise/layout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory_resource>

#include <nodewise/loader.hpp>
#include <nodewise/node_pools.hpp>

#include "kernels/dispatch.hpp"
#include "layout/conversion.hpp"
#include "support/counting.hpp"
#include "support/machines.hpp"
#include "support/random_elements.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::counting;
using test::workers;
using test::World;

namespace {

constexpr Layout all_layouts[] = {Layout::rows, Layout::columns, Layout::tiles};
constexpr DType by_width[] = {DType::u8, DType::f16, DType::f32, DType::f64};

// Where each element of a batch is, row by row: by going through the batch in the order of the layout.
std::vector<std::size_t> places(Layout layout, std::size_t rows, std::size_t cols) {
  std::vector<std::size_t> place(rows * cols);
  std::size_t next = 0;
  const std::size_t height = layout == Layout::rows ? 1 : layout == Layout::columns ? rows : 16;
  for (std::size_t first = 0; first < rows; first += height)
    for (std::size_t col = 0; col < cols; ++col)
      for (std::size_t row = first; row < std::min(first + height, rows); ++row)
        place[row * cols + col] = next++;
  return place;
}

std::vector<std::byte> bytes_of(std::size_t count, std::uint64_t seed) {
  return test::elements(DType::u8, count, test::any_bits, seed);
}

using Places = std::vector<std::size_t>;

// Whether `to` has everywhere what `from` has for the same element.
bool agree(const std::byte* from, const Places& source, const std::byte* to, const Places& target,
           std::size_t width) {
  for (std::size_t i = 0; i < source.size(); ++i)
    if (std::memcmp(from + source[i] * width, to + target[i] * width, width) != 0) return false;
  return true;
}

bool agree(const std::byte* from, Layout from_layout, const std::byte* to, Layout to_layout,
           std::size_t width, std::size_t rows, std::size_t cols) {
  return agree(from, places(from_layout, rows, cols), to, places(to_layout, rows, cols), width);
}

// Of all pairs of layouts and all instruction sets: how many are converted wrongly, or with more written than
// the batch. `offset`: of the target, in elements.
unsigned wrong_conversions(std::size_t width, std::size_t rows, std::size_t cols, std::size_t offset) {
  const std::size_t size = rows * cols * width, edge = 64;
  const auto from = bytes_of(size, size);
  const auto before = bytes_of(size + 2 * edge + 64 * width, 7);
  std::vector<Places> place;
  for (const Layout layout : all_layouts) place.push_back(places(layout, rows, cols));
  unsigned wrong = 0;
  for (const KernelSet& kernels : runnable_kernels())
    for (const Layout from_layout : all_layouts)
      for (const Layout to_layout : all_layouts)
        for (const bool past_caches : {false, true}) {
          auto to = before;
          const std::size_t first = edge + offset * width;
          const LayoutConversion conversion(from_layout, to_layout, width, past_caches, *kernels.layouts);
          LayoutConversion::Scratch scratch;
          conversion.convert(from.data(), to.data() + first, rows, cols, scratch);
          conversion.done(scratch);
          const auto end = static_cast<std::ptrdiff_t>(first + size);
          const bool right =
              agree(from.data(), place[static_cast<std::size_t>(from_layout)], to.data() + first,
                    place[static_cast<std::size_t>(to_layout)], width) &&
              std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(first), to.begin()) &&
              std::equal(before.begin() + end, before.end(), to.begin() + end);
          wrong += right ? 0 : 1;
        }
  return wrong;
}

template <Layout L>
void check_view(std::size_t rows, std::size_t cols) {
  auto elements = counting<int>(rows * cols);
  const LayoutView<int, L> view(elements.data(), rows, cols);
  const auto place = places(L, rows, cols);
  unsigned wrong = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto line = view.row(row);
    static_assert(std::ranges::random_access_range<decltype(line)>);
    wrong += line.size() == cols ? 0 : 1;
    for (std::size_t col = 0; col < cols; ++col) {
      const int expected = static_cast<int>(place[row * cols + col]);
      wrong += view(row, col) == expected && &view.at(row, col) == &view(row, col) && line[col] == expected &&
                       line.begin()[static_cast<std::ptrdiff_t>(col)] == expected
                   ? 0
                   : 1;
    }
  }
  for (std::size_t col = 0; col < cols; ++col) {
    const auto line = view.column(col);
    static_assert(std::ranges::random_access_range<decltype(line)>);
    std::size_t row = 0;
    for (const int element : line) wrong += element == static_cast<int>(place[row++ * cols + col]) ? 0 : 1;
    wrong += row == rows && line.size() == rows ? 0 : 1;
  }
  CAPTURE(rows);
  CAPTURE(cols);
  CHECK(wrong == 0);
  CHECK(view.size() == rows * cols);
  CHECK_THROWS_AS(view.at(rows, 0), OutOfRange);
  CHECK_THROWS_AS(view.at(0, cols), OutOfRange);
}

struct PlacedSet {
  Team team;
  Plan plan;
  Buffer from;
  Buffer to;
};

PlacedSet dataset(Shape shape, DType dtype, std::uint64_t batch_size, const TeamOptions& options) {
  const auto topology = Topology::this_machine();
  const Team team(topology, options);
  const Plan plan(topology, {shape, dtype, batch_size});
  PlacedSet set{team, plan, Buffer::allocate(plan, team), Buffer::allocate(plan, team)};
  const auto bytes = bytes_of(plan.dataset().total_bytes(), shape.samples);
  std::copy(bytes.begin(), bytes.end(), set.from.data());
  return set;
}

bool converted(const std::byte* from, Layout from_layout, const std::byte* to, Layout to_layout,
               const Plan& plan) {
  for (std::uint64_t batch = 0; batch < plan.num_batches(); ++batch) {
    const std::uint64_t first = plan.dataset().batch_bytes(batch).begin;
    if (!agree(from + first, from_layout, to + first, to_layout, dtype_bytes(plan.dataset().dtype()),
               plan.dataset().batch_rows(batch).count(), plan.dataset().shape().features))
      return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a view finds every element where its layout puts it") {
  for (const std::size_t rows : {1U, 2U, 15U, 16U, 17U, 32U, 35U})
    for (const std::size_t cols : {1U, 2U, 5U, 16U}) {
      check_view<Layout::rows>(rows, cols);
      check_view<Layout::columns>(rows, cols);
      check_view<Layout::tiles>(rows, cols);
    }
}

TEST_CASE("lines of a view are ranges that algorithms sort, and views write") {
  std::vector<double> elements(40 * 3);
  const LayoutView<double, Layout::tiles> view(elements.data(), 40, 3);
  for (std::size_t row = 0; row < 40; ++row)
    for (std::size_t col = 0; col < 3; ++col) view(row, col) = static_cast<double>((row * 17 + col) % 40);
  std::ranges::sort(view.column(1));
  for (std::size_t row = 0; row < 40; ++row) CHECK(view(row, 1) == static_cast<double>(row));
  CHECK(view(1, 0) == 17);
  view.row(2)[2] = -1;
  CHECK(view(2, 2) == -1);
  auto it = view.column(1).begin();
  CHECK(*(it + 5) == 5);
  CHECK(*(5 + it) == 5);
  CHECK(it++ == view.column(1).begin());
  CHECK(*it-- == 1);
  CHECK(view.column(1).end() - it == 40);
  CHECK(it < view.column(1).end());
}

TEST_CASE("a tile is a view of columns") {
  auto elements = counting<int>(37 * 5);
  const LayoutView<const int, Layout::tiles> view = LayoutView<int, Layout::tiles>(elements.data(), 37, 5);
  REQUIRE(view.tiles() == 3);
  for (std::size_t t = 0; t < 3; ++t) {
    const auto tile = view.tile(t);
    CHECK(tile.rows() == (t < 2 ? 16 : 5));
    for (std::size_t col = 0; col < 5; ++col) {
      const std::span<const int> column = tile.column(col);
      for (std::size_t row = 0; row < tile.rows(); ++row) CHECK(&column[row] == &view(t * 16 + row, col));
    }
  }
}

TEST_CASE("views of a loader's batches") {
  World world(test::even_machine(2));
  auto data = counting<float>(10 * 3);
  BatchLoader loader(data.data(), {{10, 3}, DType::f32, 4});
  const BatchLoader& reading = loader;
  const LayoutView<const float, Layout::rows> rows = reading.get_batch(2);
  CHECK(rows.rows() == 2);
  CHECK(rows(1, 2) == 29);
  LayoutView<float, Layout::rows>(loader.get_batch(2))(1, 2) = -1;
  CHECK(rows(1, 2) == -1);
  CHECK_THROWS_AS((LayoutView<double, Layout::rows>(loader.get_batch(0))), InvalidArgument);
  CHECK_THROWS_WITH_AS((LayoutView<float, Layout::columns>(loader.get_batch(0))),
                       doctest::Contains("arranged by rows, not by columns"), InvalidArgument);

  const LayoutView<const float, Layout::rows> batch = loader.get_batch(1).as<float>();
  CHECK(&batch(3, 2) == &reading.get_batch(1).as<float>()(3, 2));
  const auto spaced = [&] { return LayoutView<float, Layout::rows>(BatchView<float>(data.data(), 3, 2, 3)); };
  const std::string no_room =
      "LayoutView: the rows of the batch are 3 elements apart and only 2 long; a layout leaves no room "
      "between them";
  CHECK_THROWS_WITH_AS(spaced(), no_room.c_str(), InvalidArgument);
  const AnyBatchView any(data.data(), DType::f32, 3, 2, 3);
  CHECK_THROWS_WITH_AS((LayoutView<float, Layout::rows>(any)), no_room.c_str(), InvalidArgument);
}

TEST_CASE("memory that may only be read is not converted into or in place") {
  World world(test::even_machine(2));
  auto set = dataset({100, 10}, DType::f32, 7, workers(2));
  const std::vector<float> memory(1000);
  const auto adopted = BatchLoader::adopt(memory.data(), {{100, 10}, DType::f32, 7});
  Buffer buffer = Buffer::adopt(adopted.plan(), set.team.topology(), adopted.pages());
  const NodePools pools(set.team);
  CHECK_THROWS_WITH_AS(convert_layout(set.from, buffer, Layout::columns, set.team),
                       doctest::Contains("may only be read"), InvalidArgument);
  CHECK_THROWS_WITH_AS(convert_layout(buffer, Layout::columns, set.team, pools),
                       doctest::Contains("may only be read"), InvalidArgument);
  CHECK(buffer.layout() == Layout::rows);
}

TEST_CASE("every pair of layouts, every width, at the edges of tiles, vectors and blocks") {
  for (const std::size_t width : {1U, 2U, 4U, 8U})
    for (const std::size_t rows : {1U, 2U, 3U, 7U, 15U, 16U, 17U, 33U, 64U, 100U, 259U})
      for (const std::size_t cols : {1U, 2U, 4U, 15U, 16U, 17U, 61U, 131U}) {
        CAPTURE(width);
        CAPTURE(rows);
        CAPTURE(cols);
        CHECK(wrong_conversions(width, rows, cols, 0) == 0);
      }
}

TEST_CASE("batches of many blocks in either direction, and targets that begin inside a line") {
  for (const std::size_t width : {1U, 2U, 4U, 8U}) {
    CHECK(wrong_conversions(width, 5, 40000, 0) == 0);
    CHECK(wrong_conversions(width, 40000, 5, 3) == 0);
    CHECK(wrong_conversions(width, 1024 / width * 2, 512, 0) == 0);
    CHECK(wrong_conversions(width, 700, 600, 1) == 0);
  }
  test::SplitMix64 random(5);
  for (int i = 0; i < 60; ++i) {
    const std::size_t width = std::size_t{1} << random() % 4, rows = 1 + random() % 400,
                      cols = 1 + random() % 400, offset = random() % 64;
    CAPTURE(width);
    CAPTURE(rows);
    CAPTURE(cols);
    CAPTURE(offset);
    CHECK(wrong_conversions(width, rows, cols, offset) == 0);
  }
}

TEST_CASE("convert_batch converts, and refuses overlap and sizes that no machine has") {
  const auto from = bytes_of(100 * 50 * 8, 1);
  for (const DType dtype : all_dtypes) {
    std::vector<std::byte> to(from.size());
    convert_batch(from.data(), Layout::rows, to.data(), Layout::tiles, dtype, 100, 50);
    CHECK(agree(from.data(), Layout::rows, to.data(), Layout::tiles, dtype_bytes(dtype), 100, 50));
  }
  std::vector<std::byte> both(3000);
  const auto convert = [&](std::size_t a, std::size_t b, std::uint64_t rows, std::uint64_t cols) {
    convert_batch(&both[a], Layout::rows, &both[b], Layout::columns, DType::f64, rows, cols);
  };
  CHECK_NOTHROW(convert(0, 800, 10, 10));
  CHECK_NOTHROW(convert(800, 0, 10, 10));
  CHECK_THROWS_AS(convert(0, 792, 10, 10), InvalidArgument);
  CHECK_THROWS_AS(convert(792, 0, 10, 10), InvalidArgument);
  CHECK_THROWS_AS(convert(0, 0, 1, 1), InvalidArgument);
  CHECK_THROWS_AS(convert(0, 800, std::uint64_t{1} << 32, std::uint64_t{1} << 32), InvalidArgument);
  CHECK_NOTHROW(convert(0, 0, 0, 10));
}

TEST_CASE(
    "datasets: all layouts, any number of workers and nodes, short last batches, huge ones, tiny ones") {
  for (const unsigned nodes : {1U, 3U}) {
    World world(test::even_machine(nodes));
    for (const unsigned count : {1U, 2U, 5U})
      for (const std::uint64_t batch_size : {1U, 7U, 16U, 100U, 500U, 5000U}) {
        const DType dtype = by_width[(count + batch_size) % 4];
        const auto scheduling = count == 2 ? Scheduling::stealing : Scheduling::local;
        auto set = dataset({997, 61}, dtype, batch_size, workers(count, scheduling));
        for (const Layout from : all_layouts)
          for (const Layout to : all_layouts) {
            CAPTURE(nodes);
            CAPTURE(count);
            CAPTURE(batch_size);
            CAPTURE(to_string(from));
            CAPTURE(to_string(to));
            set.from.assume_layout(from);  // any bytes will do
            convert_layout(set.from, set.to, to, set.team);
            CHECK(set.to.layout() == to);
            CHECK(converted(set.from.data(), from, set.to.data(), to, set.plan));
          }
      }
  }
}

TEST_CASE("a dataset that is written past the caches") {
  World world(test::even_machine(2));
  auto set = dataset({5003, 257}, DType::f32, 1250, workers(3));
  REQUIRE(set.plan.dataset().total_bytes() > 5000000);
  convert_layout(set.from, set.to, Layout::columns, set.team);
  CHECK(converted(set.from.data(), Layout::rows, set.to.data(), Layout::columns, set.plan));
}

TEST_CASE("each worker has blocks of the shards that it reads, of one long batch too, and every block once") {
  World world(test::even_machine(3));
  const auto topology = Topology::this_machine();
  for (const std::uint64_t batch_size : {10U, 100000U}) {
    const Team team(topology, workers(6));
    const Plan plan(topology, {{1000, 64}, DType::f32, batch_size});
    const LayoutBlocks blocks(plan.dataset(), {64, 10}, LayoutBlocks::Order::along_rows);
    WorkShares shares(team);
    blocks.give(plan, team, shares);
    std::vector<unsigned> seen(1000 * 64);
    std::vector<std::uint64_t> done(6);
    for (unsigned worker = 0; worker < 6; ++worker)
      while (const auto piece = shares.take(worker, false)) {
        const auto readers = team.readers(plan, piece->group);
        CHECK(std::count(readers.begin(), readers.end(), worker) == 1);
        for (std::uint64_t i = piece->units.begin; i < piece->units.end; ++i) {
          const LayoutBlock block = blocks.block(i);
          CHECK(plan.shard_of(block.batch) == piece->group);
          CHECK(block.batch_rows == plan.dataset().batch_rows(block.batch).count());
          done[worker] += block.rows.size() * block.cols.size();
          for (std::uint64_t row = block.rows.begin; row < block.rows.end; ++row)
            for (std::uint64_t col = block.cols.begin; col < block.cols.end; ++col)
              ++seen[(block.batch * plan.dataset().batch_size() + row) * 64 + col];
        }
      }
    CHECK(std::all_of(seen.begin(), seen.end(), [](unsigned times) { return times == 1; }));
    const auto working = std::count_if(done.begin(), done.end(), [](std::uint64_t n) { return n > 0; });
    CHECK(working == (batch_size == 10 ? 6 : 2));  // the node of the one batch
  }
}

TEST_CASE("buffers that differ or overlap are refused; empty ones have nothing to convert") {
  World world(test::even_machine(2));
  auto set = dataset({100, 10}, DType::f32, 7, workers(2));
  const auto refused = [&](PlacedSet other) {
    CHECK_THROWS_AS(convert_layout(set.from, other.to, Layout::columns, set.team), InvalidArgument);
  };
  refused(dataset({101, 10}, DType::f32, 7, workers(2)));
  refused(dataset({100, 11}, DType::f32, 7, workers(2)));
  refused(dataset({100, 10}, DType::i32, 7, workers(2)));
  auto longer = dataset({100, 10}, DType::f32, 8, workers(2));
  CHECK_THROWS_WITH_AS(
      convert_layout(set.from, longer.to, Layout::columns, set.team),
      "convert_layout: 100 x 10 elements of f32 in batches of 7 do not become 100 x 10 elements of f32 in "
      "batches of 8; make both buffers of the same shape, type and batch size",
      InvalidArgument);
  CHECK_THROWS_AS(convert_layout(set.from, set.from, Layout::columns, set.team), InvalidArgument);
  auto empty = dataset({0, 10}, DType::f32, 7, workers(2));
  CHECK_NOTHROW(convert_layout(empty.from, empty.to, Layout::columns, empty.team));
}

TEST_CASE("in place, with room from the pools, which have it back") {
  World world(test::machine({{0, 2, 1024 * test::MiB}, {1, 2, 1024 * test::MiB}}));
  unsigned turn = 0;
  for (const std::uint64_t batch_size : {1U, 16U, 100U, 997U})
    for (const Layout from : all_layouts)
      for (const Layout to : all_layouts) {
        const auto scheduling = turn % 2 == 0 ? Scheduling::stealing : Scheduling::local;
        auto set = dataset({997, 61}, by_width[turn++ % 4], batch_size, workers(4, scheduling));
        const NodePools pools(set.team);
        convert_layout(set.from, set.to, from, set.team);
        convert_layout(set.to, to, set.team, pools);
        CHECK(set.to.layout() == to);
        CHECK(converted(set.from.data(), Layout::rows, set.to.data(), to, set.plan));
        for (const NodePoolCounts& counts : pools.counts()) CHECK(counts.pool.live_bytes == 0);
      }
}

TEST_CASE("in place, batches past the caches; only those who have one need room") {
  World world(test::machine({{0, 4, 1024 * test::MiB}, {1, 4, 1024 * test::MiB}}));
  auto set = dataset({7000, 100}, DType::f64, 3000, workers(8));
  REQUIRE(set.plan.dataset().batch_bytes(0).bytes() > 2000000);
  const NodePools pools(set.team);
  convert_layout(set.from, set.to, Layout::rows, set.team);
  convert_layout(set.to, Layout::columns, set.team, pools);
  CHECK(converted(set.from.data(), Layout::rows, set.to.data(), Layout::columns, set.plan));
  std::uint64_t rooms = 0;
  for (const NodePoolCounts& counts : pools.counts()) rooms += counts.pool.allocations;
  CHECK(rooms == 3);  // there are three batches
}

TEST_CASE("where both layouts have all in the same places, one batch is copied by all who read it") {
  World world(test::machine({{0, 4, 1024 * test::MiB}}));
  for (const auto scheduling : {Scheduling::local, Scheduling::stealing}) {
    auto set = dataset({5000001, 1}, DType::i8, 5000001, workers(4, scheduling));
    convert_layout(set.from, set.to, Layout::tiles, set.team);
    CHECK(std::equal(set.from.data(), set.from.data() + set.plan.dataset().total_bytes(), set.to.data()));
  }
}

TEST_CASE("a batch of plain memory that is written past the caches") {
  const auto from = bytes_of(5000 * 300 * 4, 3);
  std::vector<std::byte> to(from.size());
  convert_batch(from.data(), Layout::rows, to.data(), Layout::columns, DType::f32, 5000, 300);
  CHECK(agree(from.data(), Layout::rows, to.data(), Layout::columns, 4, 5000, 300));
}

TEST_CASE("a team or a buffer of another machine is refused") {
  std::optional<PlacedSet> other;
  {
    World world(test::even_machine(3));
    other.emplace(dataset({100, 10}, DType::f32, 7, workers(2)));
    other->to = Buffer::allocate(other->plan, other->team);
    World here(test::even_machine(2));
    auto set = dataset({100, 10}, DType::f32, 7, workers(2));
    CHECK_THROWS_AS(convert_layout(set.from, other->to, Layout::columns, set.team), PlacementError);
    CHECK_THROWS_AS(convert_layout(set.from, set.to, Layout::columns, other->team), PlacementError);
  }
}

TEST_CASE(
    "in place without room on one of the nodes: nothing is touched, and the others' room is given back") {
  World world(test::machine({{0, 2, 1024 * test::MiB}, {1, 2, 64 * test::MiB}}));
  auto set = dataset({200000, 31}, DType::f64, 100000, workers(2));
  const NodePools pools(set.team);
  convert_layout(set.from, set.to, Layout::rows, set.team);
  CHECK_THROWS_AS(convert_layout(set.to, Layout::columns, set.team, pools), std::bad_alloc);
  CHECK(std::equal(set.from.data(), set.from.data() + set.plan.dataset().total_bytes(), set.to.data()));
  for (const NodePoolCounts& counts : pools.counts()) CHECK(counts.pool.live_bytes == 0);
}
