// Goal: the loader serves views, never copies: what is written anywhere is seen everywhere, and bad requests
// are refused by name.
// Method: this machine for what users do; the fake system for options that need nodes.
#include <doctest/doctest.h>

#include <array>
#include <cstring>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "support/counting.hpp"
#include "support/machines.hpp"
#include "support/with_type.hpp"

using namespace nodewise;
using test::counting;
using test::Environment;
using test::World;

TEST_CASE_TEMPLATE_DEFINE("views of every element type are the data", T, views) {
  const auto data = counting<T>(10 * 3);
  ZeroCopyBatchLoader<T> loader(data, 10, 3, 4);
  REQUIRE(loader.num_batches() == 3);
  for (std::uint64_t batch = 0; batch < 3; ++batch) {
    const BatchView<T> view = loader.get_batch(batch);
    CHECK(view.rows() == (batch == 2 ? 2 : 4));
    CHECK(view.cols() == 3);
    CHECK(loader.is_zero_copy(batch));
    for (std::size_t row = 0; row < view.rows(); ++row)
      for (std::size_t col = 0; col < 3; ++col) CHECK(view(row, col) == data[(batch * 4 + row) * 3 + col]);
  }
}

TEST_CASE_TEMPLATE_APPLY(views, test::ElementTypes);

TEST_CASE("the worked example: means of ragged batches, rounded to four decimals") {
  const auto data = counting<double>(6 * 2);
  const ZeroCopyBatchLoader<double> loader(data, 6, 2, 4);
  CHECK(loader.get_batch_means() == std::vector<double>{3.5, 9.5});
  const std::vector<double> thirds{1.0, 1.0, 2.0};
  CHECK(ZeroCopyBatchLoader<double>(thirds, 3, 1, 3).get_batch_means() == std::vector<double>{1.3333});
  CHECK(ZeroCopyBatchLoader<double>(thirds, 3, 1, 3).means() == std::vector<double>{4.0 / 3.0});
}

TEST_CASE("every write is seen by every view, earlier or later") {
  ZeroCopyBatchLoader<float> loader(10, 3, 4);
  const auto before = loader.get_batch(1);
  loader.write_to_buffer(5, 2, 1.5F);
  CHECK(before(1, 2) == 1.5F);
  CHECK(loader.get_batch(1)(1, 2) == 1.5F);
  before(0, 0) = -2.0F;
  CHECK(loader.get_batch(1)(0, 0) == -2.0F);
  const auto* raw = reinterpret_cast<const float*>(loader.loader().buffer().data());
  CHECK(raw[4 * 3] == -2.0F);
  CHECK(raw[5 * 3 + 2] == 1.5F);
  CHECK(loader.means()[1] == doctest::Approx(-0.5 / 12));
}

TEST_CASE("a typed loader takes its element type from its data") {
  const std::vector<float> floats(6);
  const std::array<double, 6> doubles{};
  const unsigned char bytes[6] = {1, 2, 3, 4, 5, 6};
  const ZeroCopyBatchLoader of_vector(floats, 3, 2, 2);
  const ZeroCopyBatchLoader of_array(doubles, 3, 2, 2, LoaderOptions{});
  const ZeroCopyBatchLoader of_plain_array(bytes, 3, 2, 2);
  const ZeroCopyBatchLoader of_span(std::span<const float>(floats), 3, 2, 2);
  CHECK(of_vector.loader().dataset().dtype() == DType::f32);
  CHECK(of_array.loader().dataset().dtype() == DType::f64);
  CHECK(of_plain_array.loader().dataset().dtype() == DType::u8);
  CHECK(of_plain_array.get_batch(1)(0, 1) == 6);
  CHECK(of_span.loader().dataset().dtype() == DType::f32);
  const ZeroCopyBatchLoader longs(std::vector<long long>{1, -2}, 2, 1, 2);
  CHECK(longs.loader().dataset().dtype() == DType::i64);
  CHECK(longs.get_batch(0)(1, 0) == -2);
}

TEST_CASE("the source is copied once, and not looked at again") {
  auto data = counting<double>(8);
  const ZeroCopyBatchLoader<double> loader(data, 4, 2, 2);
  data[0] = 99;
  CHECK(loader.get_batch(0)(0, 0) == 0.0);
}

TEST_CASE("zero copy is found out, not claimed") {
  const BatchLoader loader({{8, 2}, DType::f64, 4});
  const AnyConstBatchView view = loader.get_batch(1);
  CHECK(loader.is_zero_copy(view));
  std::vector<double> copy(8);
  std::memcpy(copy.data(), view.data(), 64);
  CHECK_FALSE(loader.is_zero_copy(AnyBatchView(copy.data(), DType::f64, 4, 2, 2)));
  // Reaching over the end of the dataset is not inside it.
  CHECK_FALSE(loader.is_zero_copy(AnyConstBatchView(view.data(), DType::f64, 5, 2, 2)));
  CHECK_FALSE(loader.is_zero_copy(AnyConstBatchView(view.data(), DType::f64, 0, 2, 2)));
  const BatchLoader other({{8, 2}, DType::f64, 4});
  CHECK_FALSE(loader.is_zero_copy(other.get_batch(1)));
}

TEST_CASE("memory that is no longer mapped is not zero copy") {
  World world(test::even_machine(1));
  const BatchLoader loader({{1024, 64}, DType::f64, 64});
  CHECK(loader.is_zero_copy(0));
  world.faulty.refuse(os::Call::check_mapped, ENOMEM);
  CHECK_FALSE(loader.is_zero_copy(0));
}

TEST_CASE("what does not exist is refused, with the numbers") {
  BatchLoader loader({{10, 3}, DType::f32, 4});
  CHECK_THROWS_WITH_AS(loader.get_batch(3), doctest::Contains("batch 3 of 3"), OutOfRange);
  CHECK_THROWS_AS(loader.get_batch(3), std::out_of_range);
  CHECK_THROWS_AS(loader.is_zero_copy(~std::uint64_t{0}), Error);
  CHECK_THROWS_AS(loader.write_to_buffer(10, 0, 1.0F), OutOfRange);
  CHECK_THROWS_AS(loader.write_to_buffer(0, 3, 1.0F), OutOfRange);
  CHECK_THROWS_AS(loader.get_batch(0).as<double>(), InvalidArgument);
  CHECK_THROWS_AS(loader.get_batch(0).as<float>().at(4, 0), OutOfRange);
  CHECK_THROWS_AS(BatchLoader({{10, 0}, DType::f32, 4}), InvalidArgument);
  CHECK_THROWS_AS(BatchLoader({{10, 3}, DType::f32, 0}), InvalidArgument);
  CHECK_THROWS_AS(BatchLoader({{~std::uint64_t{0}, 8}, DType::f64, 4}), InvalidArgument);
  const std::vector<double> seven(7);
  CHECK_THROWS_AS(ZeroCopyBatchLoader<double>(seven, 3, 2, 1), InvalidArgument);
  CHECK_THROWS_AS(ZeroCopyBatchLoader<double>(BatchLoader({{1, 1}, DType::f32, 1})), InvalidArgument);
}

TEST_CASE("no samples: no batches, no means") {
  const BatchLoader loader({{0, 3}, DType::f64, 4});
  CHECK(loader.num_batches() == 0);
  CHECK(loader.means().empty());
  CHECK_THROWS_AS(loader.get_batch(0), OutOfRange);
}

TEST_CASE("views outlive a moved loader, and the loader while its pages are kept") {
  BatchLoader loader({{8, 2}, DType::f64, 4});
  loader.write_to_buffer(0, 0, 7.0);
  const auto view = loader.get_batch(0).as<double>();
  const Pages kept = loader.pages();
  {
    const BatchLoader moved = std::move(loader);
    CHECK(view(0, 0) == 7.0);
    CHECK(moved.is_zero_copy(0));
  }
  CHECK(view(0, 0) == 7.0);
}

TEST_CASE("adopted memory is used where it is, and released once") {
  std::vector<double> memory = counting<double>(12);
  int released = 0;
  {
    auto loader = BatchLoader::adopt(memory.data(), {{6, 2}, DType::f64, 4}, {}, [&](void* data) {
      CHECK(data == memory.data());
      ++released;
    });
    CHECK(loader.get_batch(0).data() == memory.data());
    loader.write_to_buffer(5, 1, 100.0);
    CHECK(memory[11] == 100.0);
    CHECK(loader.plan().base_offset() == reinterpret_cast<std::uintptr_t>(memory.data()) % 4096);
    CHECK(loader.means().size() == 2);
    CHECK(loader.placement().total().planned_bytes == 96);
    const Pages kept = loader.pages();
    const BatchLoader moved = std::move(loader);
    CHECK(released == 0);
  }
  CHECK(released == 1);
}

TEST_CASE("adopted memory is released even when adopting fails") {
  std::vector<double> memory(12);
  int released = 0;
  const auto release = [&](void*) { ++released; };
  const Dataset none;
  CHECK_THROWS_AS(BatchLoader::adopt(memory.data(), none, {}, release), InvalidArgument);
  CHECK(released == 1);
  void* odd = reinterpret_cast<char*>(memory.data()) + 1;
  CHECK_THROWS_AS(BatchLoader::adopt(odd, {{5, 2}, DType::f64, 4}, {}, release), InvalidArgument);
  CHECK_THROWS_AS(BatchLoader::adopt(static_cast<void*>(nullptr), {{5, 2}, DType::f64, 4}, {}, release),
                  InvalidArgument);
  CHECK(released == 3);
}

TEST_CASE("defaults come from the environment, and code goes before it") {
  World world(test::even_machine(2));
  const Environment binding("NODEWISE_BINDING", "required"), pages("NODEWISE_PAGES", "base");
  const BatchLoader from_environment({{8, 2}, DType::f64, 4});
  CHECK(from_environment.plan().binding() == Binding::required);
  CHECK(from_environment.pages().kind() == PageKind::base);
  LoaderOptions options;
  options.binding = Binding::preferred;
  const BatchLoader from_code({{8, 2}, DType::f64, 4}, options);
  CHECK(from_code.plan().binding() == Binding::preferred);
  const Environment nonsense("NODEWISE_BINDING", "strict");
  CHECK_THROWS_WITH_AS(BatchLoader({{8, 2}, DType::f64, 4}),
                       "NODEWISE_BINDING is \"strict\"; it may be preferred, required", InvalidArgument);
}

TEST_CASE("a saved plan is replayed") {
  World world(test::even_machine(3));
  LoaderOptions options;
  options.weights = Weights::given;
  options.given_weights = {1, 0, 3};
  const BatchLoader first({{4096, 64}, DType::f32, 16}, options);
  const auto saved = first.plan().to_json();
  const BatchLoader again(Plan::from_json(saved, Topology::this_machine()));
  CHECK(again.plan() == first.plan());
  CHECK(again.placement().total().misplaced_bytes == 0);
}

TEST_CASE("required binding is verified before the loader is handed out") {
  World world(test::even_machine(2));
  LoaderOptions options;
  options.binding = Binding::required;
  CHECK_NOTHROW(BatchLoader({{4096, 64}, DType::f64, 16}, options));
  world.faulty.refuse(os::Call::pages_status, EPERM);
  world.faulty.refuse(os::Call::read_text, EPERM);
  CHECK_THROWS_AS(BatchLoader({{4096, 64}, DType::f64, 16}, options), PlacementError);
  CHECK(world.faulty.live_mappings() == 0);
}
