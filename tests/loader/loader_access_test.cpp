// Goal: what may not be written is seen through views that only read: from a const loader by type, over
// memory that may only be read by an error that names the remedy. Method: a segment of this process's own,
// opened again for reading; const memory, adopted. What must not compile is in tests/misuse.
#include <doctest/doctest.h>

#include <sys/mman.h>

#include <cerrno>
#include <type_traits>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "support/counting.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::counting;
using test::unique_name;

TEST_CASE("over a segment opened for reading no view that may write is given, and the remedy is named") {
  const auto name = unique_name("reading");
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name};
  options.team = test::workers(2);
  const auto data = counting<float>(1000 * 16);
  const BatchLoader maker(data.data(), {{1000, 16}, DType::f32, 64}, options);
  auto reader = BatchLoader::open(name);
  CHECK_FALSE(reader.pages().writable());
  CHECK(reader.means() == maker.means());
  const auto refusal = [](auto call) { return test::message_of(call); };
  const auto names_remedy = [](const std::string& message) {
    return test::contains(message, "may only be read") && test::contains(message, "Access::read_write");
  };
  const AnyBatchView view = reader.get_batch(0);
  CHECK(view.access() == Access::read_only);
  CHECK(view.as<const float>()(0, 1) == 1);
  const std::string typed = refusal([&] { static_cast<void>(view.as<float>()); });
  CHECK(names_remedy(typed));
  CHECK(test::contains(typed, "as<const T>()"));
  CHECK_THROWS_AS(view.as<float>(), InvalidArgument);
  CHECK(names_remedy(refusal([&] { static_cast<void>(view.data()); })));
  CHECK(names_remedy(refusal([&] { reader.write_to_buffer(0, 0, 1.0F); })));
  CHECK(names_remedy(refusal([&] { static_cast<void>(reader.get_batch(15).as<float>()); })));  // a short one
  Pages pages = reader.pages();
  CHECK(names_remedy(refusal([&] { static_cast<void>(pages.data()); })));
  CHECK(std::as_const(pages).data() == std::as_const(reader).get_batch(0).data());
  Segment segment = Segment::open(name);
  CHECK(names_remedy(refusal([&] { static_cast<void>(segment.get_batch(1).as<float>()); })));
  CHECK(segment.get_batch(1).as<const float>()(0, 0) == 64 * 16);
  Buffer buffer = Buffer::adopt(reader.plan(), reader.buffer().topology(), segment.pages());
  CHECK(names_remedy(refusal([&] { static_cast<void>(buffer.data()); })));
  CHECK(names_remedy(refusal([&] { static_cast<void>(buffer.address_of(0)); })));
  CHECK(names_remedy(refusal([&] { static_cast<void>(buffer.get_batch(0).as<float>()); })));
  ZeroCopyBatchLoader<float> loader(std::move(reader));
  CHECK(names_remedy(refusal([&] { static_cast<void>(loader.get_batch(0)); })));
  CHECK(std::as_const(loader).get_batch(0)(0, 1) == 1);
}

TEST_CASE("adopted memory that may only be read is read where it is, released once, and never written") {
  const std::vector<double> memory = counting<double>(12);
  int released = 0;
  {
    auto loader = BatchLoader::adopt(memory.data(), {{6, 2}, DType::f64, 4}, {}, [&](const void* data) {
      CHECK(data == memory.data());
      ++released;
    });
    CHECK(std::as_const(loader).get_batch(0).data() == memory.data());
    CHECK(static_cast<const void*>(loader.buffer().address_of(96)) == memory.data() + 12);
    CHECK(loader.get_batch(1).as<const double>()(1, 1) == 11);
    CHECK(loader.is_zero_copy(1));
    CHECK(loader.means() == std::vector<double>{3.5, 9.5});
    CHECK_THROWS_WITH_AS(loader.write_to_buffer(5, 1, 100.0), doctest::Contains("may only be read"),
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(loader.get_batch(0).as<double>(), doctest::Contains("as<const T>()"),
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(loader.get_batch(1).as<double>(), doctest::Contains("as<const T>()"),
                         InvalidArgument);
  }
  CHECK(released == 1);
  int gone = 0;
  const auto release = [&](const void*) { ++gone; };
  const void* odd = reinterpret_cast<const char*>(memory.data()) + 1;
  CHECK_THROWS_AS(BatchLoader::adopt(odd, {{5, 2}, DType::f64, 4}, {}, release), InvalidArgument);
  CHECK(gone == 1);
}

TEST_CASE("adopted memory that the kernel does not let this process write is never written") {
  // Method: two pages of which the first, the second or none may be written; and no /proc to say so.
  constexpr std::size_t page_bytes = 4096;
  constexpr std::uint64_t rows = 2 * page_bytes / sizeof(double);
  void* const mapped =
      ::mmap(nullptr, 2 * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  const auto adopted = [&] { return BatchLoader::adopt(mapped, {{rows, 1}, DType::f64, 16}); };
  auto writable = adopted();
  writable.write_to_buffer(rows - 1, 0, 7.0);
  for (const std::size_t page : {0U, 1U}) {
    auto* const at = static_cast<std::byte*>(mapped) + page * page_bytes;
    REQUIRE(::mprotect(at, page_bytes, PROT_READ) == 0);
    auto loader = adopted();
    CHECK_FALSE(loader.pages().writable());
    for (const std::uint64_t row : {std::uint64_t{0}, rows - 1})
      CHECK_THROWS_WITH_AS(loader.write_to_buffer(row, 0, 1.0),
                           doctest::Contains("adopt memory that may be written"), InvalidArgument);
    CHECK_THROWS_AS(loader.get_batch(0).as<double>(), InvalidArgument);
    CHECK(std::as_const(loader).get_batch(rows / 16 - 1).as<double>()(15, 0) == 7);
    REQUIRE(::mprotect(at, page_bytes, PROT_READ | PROT_WRITE) == 0);
  }
  os::Faulty without_proc(os::real());
  without_proc.refuse(os::Call::read_text, ENOENT);
  const os::Scoped scoped(without_proc);
  CHECK(Pages::adopt(mapped, 2 * page_bytes).writable());
  ::munmap(mapped, 2 * page_bytes);
}

TEST_CASE("what adopting refuses is named with its remedy") {
  const auto adopt_nothing = [] { BatchLoader::adopt(static_cast<void*>(nullptr), {{5, 2}, DType::f32, 4}); };
  const std::string nothing = test::message_of<InvalidArgument>(adopt_nothing);
  CHECK(test::contains(nothing, "null"));
  CHECK(test::contains(nothing, "40 bytes"));
  CHECK_FALSE(test::contains(nothing, "aligned"));

  test::World world(test::even_machine(2));
  auto pages = Pages::map(8 * test::MiB, PageKind::base);
  world.fake.populate(pages.data(), 8 * test::MiB);  // on one node
  LoaderOptions options;
  options.binding = Binding::required;
  const auto adopt = [&] { BatchLoader::adopt(pages.data(), {{8 * 128, 1024}, DType::f64, 8}, options); };
  const std::string misplaced = test::message_of<PlacementError>(adopt);
  CHECK(test::contains(misplaced, "BatchLoader::adopt under Binding::required"));
  CHECK(test::contains(misplaced, "4194304 bytes lie on another node"));
  CHECK(test::contains(misplaced, "BatchLoader(data, dataset, options)"));
  world.faulty.refuse(os::Call::pages_status, EPERM);
  world.faulty.refuse(os::Call::read_text, EACCES);
  CHECK(test::contains(test::message_of<PlacementError>(adopt), "EPERM"));
}

TEST_CASE("a loader gives views that write, a const one and what it gives only reads") {
  BatchLoader loader({{10, 3}, DType::f32, 4});
  const BatchLoader& reading = loader;
  loader.get_batch(2).as<float>()(1, 2) = 5;
  static_assert(std::is_same_v<decltype(loader.get_batch(2).as<float>()), BatchView<float>>);
  static_assert(std::is_same_v<decltype(loader.get_batch(2).as<const float>()), BatchView<const float>>);
  static_assert(std::is_same_v<decltype(reading.get_batch(2).as<float>()), BatchView<const float>>);
  static_assert(std::is_same_v<decltype(reading.get_batch(2).as<const float>()), BatchView<const float>>);
  static_assert(sizeof(AnyBatchView) == 5 * sizeof(void*) &&
                sizeof(AnyConstBatchView) == sizeof(AnyBatchView));
  CHECK(reading.get_batch(2).as<float>()(1, 2) == 5);
  CHECK(loader.get_batch(0).access() == Access::read_write);
  const AnyConstBatchView both = loader.get_batch(2);
  CHECK(both.data() == loader.get_batch(2).data());
  CHECK_THROWS_WITH_AS(reading.get_batch(0).as<double>(), doctest::Contains("f32, not f64"), InvalidArgument);
}
