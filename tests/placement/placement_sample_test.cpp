// Goal: a sample tells the truth about the bytes that it drew, and its bounds hold the whole dataset's
// fraction as often as they say. Method: buffers on the fake system with pages moved to other nodes; the
// complete report says what is true; many seeds; the bounds that the header states.
#include <doctest/doctest.h>

#include <cerrno>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "support/machines.hpp"

using namespace nodewise;
using test::World;

namespace {

BatchLoader loader_on(std::uint64_t rows, std::uint64_t batch_size, Policy policy = Policy::blocked) {
  LoaderOptions options;
  options.team.workers = 4;
  options.policy = policy;
  return BatchLoader({{rows, 64}, DType::f64, batch_size}, options);
}

std::uint64_t sum(const PlacementBytes& bytes) {
  return bytes.local_bytes + bytes.on_target_bytes + bytes.misplaced_bytes + bytes.cut_bytes +
         bytes.absent_bytes + bytes.unknown_bytes;
}

PlacementSample made_up(std::uint64_t local, std::uint64_t drawn) {
  PlacementSample sample;
  sample.asking_rung = AskingRung::move_pages;
  sample.drawn.local_bytes = local;
  sample.drawn.planned_bytes = drawn;
  return sample;
}

}  // namespace

TEST_CASE("all as planned") {
  World world(test::even_machine(4));
  const auto loader = loader_on(32768, 128);
  const auto sample = sample_placement(loader.buffer(), 20000);
  CHECK(sample.asking_rung == AskingRung::move_pages);
  CHECK(sample.drawn.planned_bytes == 20000);
  CHECK(sample.drawn.local_bytes == 20000);
  CHECK(sample.local_fraction() == 1.0);
  CHECK(world.faulty.calls(os::Call::pages_status) < 8);  // thousands in a call
}

TEST_CASE("pages elsewhere show in proportion, and the bounds hold the truth") {
  World world(test::even_machine(4));
  const auto loader = loader_on(32768, 128);
  world.fake.migrate(loader.buffer().data(), 5 << 20, 3);
  const double truth = loader.placement().local_fraction().value();
  CHECK(truth == 0.6875);  // the first node's 4 MiB of 16, and one of the next
  int missed_at_90 = 0, missed_at_50 = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto sample = sample_placement(loader.buffer(), 500, seed);
    CHECK(sum(sample.drawn) == 500);
    const auto holds = [&](double confidence) {
      const auto bounds = sample.local_fraction_bounds(confidence);
      return bounds.least <= truth && truth <= bounds.most;
    };
    missed_at_90 += holds(0.9) ? 0 : 1;
    missed_at_50 += holds(0.5) ? 0 : 1;
  }
  CHECK(missed_at_90 <= 20);
  CHECK(missed_at_50 <= 100);
  CHECK(missed_at_50 > 0);  // bounds that never miss say nothing
}

TEST_CASE("the same seed draws the same bytes") {
  World world(test::even_machine(4));
  const auto loader = loader_on(32768, 128);
  world.fake.migrate(loader.buffer().data(), 6 << 20, 3);
  const auto drawn = [&](std::uint64_t seed) { return sample_placement(loader.buffer(), 1000, seed).drawn; };
  CHECK(drawn(7) == drawn(7));
  CHECK_FALSE(drawn(7) == drawn(8));
}

TEST_CASE("pages that nobody touched, and those that the kernel hides") {
  World world(test::even_machine(4));
  const auto loader = loader_on(32768, 128);
  world.fake.hide(loader.buffer().data(), 4 << 20);
  const auto hidden = sample_placement(loader.buffer(), 1000).drawn;
  CHECK(hidden.unknown_bytes == doctest::Approx(250).epsilon(0.2));
  CHECK(hidden.local_bytes + hidden.unknown_bytes == 1000);
  const auto mapped = os::current().map(1 << 20, 4096, 0);
  REQUIRE(mapped.ok());
  const auto untouched = BatchLoader::adopt(mapped.value, {{2048, 64}, DType::f64, 128});
  CHECK(sample_placement(untouched.buffer(), 1000).drawn.absent_bytes == 1000);
  os::current().unmap(mapped.value, 1 << 20);
}

TEST_CASE("bytes that the plan cut") {
  World world(test::even_machine(4));
  const auto loader = loader_on(4000, 7);
  REQUIRE(loader.plan().cut_bytes() > 0);
  const auto total = loader.placement().total();
  const auto sample = sample_placement(loader.buffer(), 50000);
  const double cut = static_cast<double>(total.cut_bytes) / static_cast<double>(total.planned_bytes);
  CHECK(static_cast<double>(sample.drawn.cut_bytes) == doctest::Approx(50000 * cut).epsilon(0.2));
  CHECK(sample.drawn.local_bytes + sample.drawn.cut_bytes == 50000);
}

TEST_CASE("what cannot be asked or has no local part is not guessed") {
  World world(test::even_machine(4));
  SUBCASE("interleaved") {
    const auto loader = loader_on(32768, 128, Policy::interleaved);
    const auto sample = sample_placement(loader.buffer(), 1000);
    CHECK(sample.drawn.local_bytes == 0);
    CHECK(sample.drawn.on_target_bytes == 1000);
    CHECK_FALSE(sample.local_fraction());
  }
  SUBCASE("move_pages is refused") {
    const auto loader = loader_on(32768, 128);
    world.faulty.refuse(os::Call::pages_status, EPERM);
    const auto sample = sample_placement(loader.buffer(), 1000);
    CHECK(sample.asking_rung == AskingRung::none);
    CHECK(sample.drawn.unknown_bytes == 1000);
    CHECK_FALSE(sample.local_fraction());
    CHECK(sample.local_fraction_bounds().least == 0);
    CHECK(sample.local_fraction_bounds().most == 1);
  }
  SUBCASE("refused half way") {
    const auto loader = loader_on(32768, 128);
    world.faulty.fail(os::Call::pages_status, 2, ENOMEM);  // the first asks whether it works at all
    CHECK_THROWS_AS(sample_placement(loader.buffer(), 1000), SystemError);
  }
  SUBCASE("no data") {
    const auto loader = loader_on(0, 128);
    CHECK(sample_placement(loader.buffer(), 1000).local_fraction() == 1.0);
  }
}

TEST_CASE("bounds are those of the header, and tighten with the number of bytes") {
  CHECK(made_up(10000, 10000).local_fraction_bounds().least == doctest::Approx(0.99947).epsilon(1e-5));
  CHECK(made_up(10000, 10000).local_fraction_bounds().most == 1);
  CHECK(made_up(5000, 10000).local_fraction_bounds().least == doctest::Approx(0.484).epsilon(1e-3));
  CHECK(made_up(5000, 10000).local_fraction_bounds().most == doctest::Approx(0.516).epsilon(1e-3));
  CHECK(made_up(0, 10).local_fraction_bounds().least == 0);
  CHECK(made_up(0, 10).local_fraction_bounds().most < 0.5);
  CHECK(made_up(1, 1).local_fraction_bounds(0.5).least == doctest::Approx(0.25));
}

TEST_CASE("a sample of nothing and an impossible confidence") {
  World world(test::even_machine(2));
  const auto loader = loader_on(128, 128);
  CHECK_THROWS_AS(sample_placement(loader.buffer(), 0), InvalidArgument);
  for (const double confidence : {0.0, 1.0, -0.5, 99.0})
    CHECK_THROWS_AS(made_up(1, 1).local_fraction_bounds(confidence), InvalidArgument);
}
