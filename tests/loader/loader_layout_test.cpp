// Goal: a loader, its buffer, its segment and its views say how their batches are arranged, whatever has
// arranged them; a reader of rows is refused by name, and one that asks finds every element.
// Method: elements count through, so that each says where it belongs; the fake machine for nodes and their
// pools; a memfd or a segment with a name of this process's own.
#include <doctest/doctest.h>

#include <stdexcept>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/layout.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/node_pools.hpp>

#include "support/counting.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::counting;
using test::workers;
using test::World;

namespace {

constexpr Layout all_layouts[] = {Layout::rows, Layout::columns, Layout::tiles};

}  // namespace

TEST_CASE("a loader in any layout: its views say so, and readers of rows are refused by name") {
  World world(test::even_machine(2));
  const auto data = counting<float>(50 * 3);
  for (const Layout layout : all_layouts) {
    CAPTURE(to_string(layout));
    LoaderOptions options;
    options.team = workers(3);
    options.layout = layout;
    BatchLoader loader(data.data(), {{50, 3}, DType::f32, 20}, options);
    const BatchLoader& reading = loader;
    CHECK(loader.layout() == layout);
    CHECK(loader.buffer().layout() == layout);
    for (std::uint64_t number = 0; number < 3; ++number) {
      const AnyConstBatchView batch = reading.get_batch(number);
      CHECK(batch.layout() == layout);
      CHECK(loader.is_zero_copy(number));
      const bool found = with_layout<float>(batch, [&](const auto& view) {
        bool right = view.rows() == (number < 2 ? 20 : 10);
        for (std::size_t row = 0; row < view.rows(); ++row)
          for (std::size_t col = 0; col < 3; ++col)
            right = right && view(row, col) == data[(number * 20 + row) * 3 + col];
        return right;
      });
      CHECK(found);
      if (layout == Layout::rows) continue;
      CHECK_THROWS_WITH_AS(batch.as<float>(), doctest::Contains("not by rows; read it through LayoutView"),
                           InvalidArgument);
      CHECK_THROWS_AS(loader.get_batch(number).as<float>(), InvalidArgument);
    }
    CHECK(loader.means() == BatchLoader(data.data(), {{50, 3}, DType::f32, 20}).means());
    loader.write_to_buffer(45, 1, -7.0F);  // in the short last batch
    loader.write_to_buffer(17, 2, -8.0F);
    with_layout<float>(loader.get_batch(2), [](const auto& view) { CHECK(view(5, 1) == -7); });
    with_layout<float>(loader.get_batch(0), [](const auto& view) { CHECK(view(17, 2) == -8); });
    LoaderOptions zeroed = options;
    zeroed.segment = SegmentOptions{};
    CHECK(BatchLoader({{50, 3}, DType::f32, 20}, zeroed).segment()->layout() == layout);
    CHECK(BatchLoader::adopt(data.data(), {{50, 3}, DType::f32, 20}, options).layout() == layout);
  }
}

TEST_CASE("what fills a loader in columns may fail, and is told of whole batches") {
  World world(test::even_machine(2));
  LoaderOptions options;
  options.layout = Layout::columns;
  const auto fails = [](std::byte*, ByteRange bytes) {
    if (bytes.begin == 2 * 64 * 3 * 8) throw std::runtime_error("no more");
  };
  const auto load = [&] { return BatchLoader(fails, {{1000, 3}, DType::f64, 64}, options); };
  CHECK_THROWS_WITH_AS(load(), "no more", std::runtime_error);
}

TEST_CASE("a loader converted in place hands out what is true, as often as one likes") {
  World world(test::machine({{0, 2, 1024 * test::MiB}, {1, 2, 1024 * test::MiB}}));
  const auto data = counting<double>(997 * 61);
  LoaderOptions options;
  options.team = workers(4);
  BatchLoader loader(data.data(), {{997, 61}, DType::f64, 100}, options);
  const auto means = loader.means();
  const NodePools pools(loader.team());
  for (const Layout layout : {Layout::columns, Layout::tiles, Layout::tiles, Layout::rows, Layout::tiles}) {
    loader.convert_layout(layout, pools);
    CHECK(loader.get_batch(3).layout() == layout);
    CHECK(loader.get_batch(9).layout() == layout);
    CHECK(loader.means() == means);
    with_layout<double>(loader.get_batch(9), [&](const auto& view) {
      CHECK(view(96, 60) == data.back());
      CHECK(view(1, 2) == data[901 * 61 + 2]);
    });
  }
}

TEST_CASE("a published segment is not converted in place; one that waits is, and others see its layout") {
  const auto name = test::unique_name("layout");
  const auto data = counting<float>(50 * 3);
  LoaderOptions options;
  options.team = workers(2);
  options.segment = SegmentOptions{.name = name, .publish = false};
  BatchLoader maker(data.data(), {{50, 3}, DType::f32, 20}, options);
  const NodePools pools(maker.team());
  maker.convert_layout(Layout::tiles, pools);
  maker.publish();
  CHECK_THROWS_WITH_AS(maker.convert_layout(Layout::rows, pools), doctest::Contains("is published"),
                       InvalidArgument);
  BatchLoader reader = BatchLoader::open(name, Access::read_write);
  CHECK(reader.layout() == Layout::tiles);
  CHECK(reader.means() == maker.means());
  const LayoutView<float, Layout::tiles> view = reader.get_batch(1);
  CHECK(view(19, 1) == 39 * 3 + 1);
  CHECK_THROWS_AS(reader.get_batch(0).as<float>(), InvalidArgument);
  CHECK_THROWS_AS(reader.convert_layout(Layout::rows, pools), InvalidArgument);
  Segment segment = Segment::open(name);
  CHECK(segment.layout() == Layout::tiles);
  CHECK(std::as_const(segment).get_batch(2).layout() == Layout::tiles);
  CHECK_THROWS_AS((LayoutView<float, Layout::tiles>(segment.get_batch(2))),
                  InvalidArgument);  // may not write
  const LayoutView<const float, Layout::tiles> short_one = segment.get_batch(2);
  CHECK(short_one(9, 2) == data.back());
  Buffer buffer = Buffer::adopt(reader.plan(), reader.buffer().topology(), reader.pages());
  CHECK_THROWS_WITH_AS(convert_layout(buffer, Layout::columns, reader.team(), pools),
                       doctest::Contains("the buffer is a segment"), InvalidArgument);
}
