// Goal: every kind of source keeps the same promises. Method: one suite, and for each kind a line in
// all_kinds() that makes a source of the same array; a new format adds its lines and no test.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>
#include <nodewise/npy.hpp>
#include <nodewise/source.hpp>

#include "source/arrays.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::Array;
using test::contains;
using test::message_of;
using test::npy_file;
using test::row_major;
using test::TemporaryFile;
using test::World;

namespace {

/// A source of `array`, and what lies behind it.
struct Made {
  Source source;
  std::shared_ptr<void> kept;
  /// Makes reading fail from about the middle on, and gives what the error says; null where reading cannot
  /// fail.
  std::function<std::vector<std::string>()> fail_in_the_middle;
};

struct Kind {
  std::string name;
  std::function<Made(const Array& array)> make;
};

Made of_file(const Array& array, bool fortran, bool other_byte_order) {
  Array stored = array;
  stored.fortran = fortran;
  stored.other_byte_order = other_byte_order;
  auto file = std::make_shared<TemporaryFile>(npy_file(stored));
  const auto cut = test::npy_header(stored).size() + stored.total_bytes() / 2;
  return {open_source(file->path()), file, [file, cut] {
            std::filesystem::resize_file(file->path(), cut);
            return std::vector<std::string>{file->path(), "shrank"};
          }};
}

Made of_memory(const Array& array) {
  auto bytes = std::make_shared<std::string>(row_major(array));
  return {memory_source(bytes->data(), array.shape, DType::i16, {.key = "an array"}), bytes, {}};
}

Made of_span(const Array& array) {
  auto bytes = std::make_shared<std::vector<std::int16_t>>(array.total_bytes() / 2);
  const std::string rows = row_major(array);
  std::copy(rows.begin(), rows.end(), reinterpret_cast<char*>(bytes->data()));
  return {memory_source(std::span<const std::int16_t>(*bytes), array.shape.features), bytes, {}};
}

/// Counts how many calls are inside at once.
struct Function {
  std::string bytes;
  std::uint64_t row_bytes = 0;
  std::atomic<bool> fails{false};
  std::atomic<int> inside{0};
  std::atomic<int> most_inside{0};
};

Made of_function(const Array& array, Calls calls) {
  auto function = std::make_shared<Function>();
  function->bytes = row_major(array);
  function->row_bytes = array.shape.features * array.element_bytes();
  const auto fill = [function, middle = array.shape.samples / 2](RowRange rows, std::byte* to) {
    const int inside = ++function->inside;
    if (inside > function->most_inside) function->most_inside = inside;
    std::this_thread::yield();
    std::memcpy(to, function->bytes.data() + rows.start * function->row_bytes,
                rows.count() * function->row_bytes);
    --function->inside;
    if (function->fails && rows.stop > middle) throw std::runtime_error("the function fails");
  };
  return {function_source(array.shape, DType::i16, fill,
                          {.key = "a function", .calls = calls, .granule_rows = 3}),
          function, [function] {
            function->fails = true;
            return std::vector<std::string>{"the function fails"};
          }};
}

std::vector<Kind> all_kinds() {
  return {
      {".npy", [](const Array& array) { return of_file(array, false, false); }},
      {".npy in the other byte order", [](const Array& array) { return of_file(array, false, true); }},
      {".npy in Fortran order", [](const Array& array) { return of_file(array, true, true); }},
      {"memory", of_memory},
      {"a span", of_span},
      {"a function", [](const Array& array) { return of_function(array, Calls::one_at_a_time); }},
      {"a function of many threads",
       [](const Array& array) { return of_function(array, Calls::any_thread); }},
  };
}

const Array example{{1000, 7}, "i2"};

/// Calls `check` with a source of each kind.
void for_each_kind(const std::function<void(Made& made)>& check) {
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    Made made = kind.make(example);
    check(made);
  }
}

std::string read(const Source& source, RowRange rows) {
  std::string bytes(rows.count() * example.shape.features * example.element_bytes(), '?');
  source.read(rows, reinterpret_cast<std::byte*>(bytes.data()));
  return bytes;
}

std::string_view loaded_bytes(const BatchLoader& loader) {
  return {reinterpret_cast<const char*>(loader.buffer().data()), loader.dataset().total_bytes()};
}

LoaderOptions with_workers(unsigned workers) {
  LoaderOptions options;
  options.team.workers = workers;
  return options;
}

}  // namespace

TEST_CASE("a source says shape, type and what it is called, and keeps its identity in copies") {
  for_each_kind([](Made& made) {
    const Source copy = made.source;
    CHECK(copy.shape() == example.shape);
    CHECK(copy.dtype() == DType::i16);
    CHECK(copy.dataset(100) == Dataset(example.shape, DType::i16, 100));
    CHECK_FALSE(copy.identity().name.empty());
    CHECK(copy.identity() == made.source.identity());
    CHECK(copy.identity().state.empty() == copy.identity().content.empty());
    CHECK(copy.granule_rows() >= 1);
    CHECK_THROWS_AS(copy.dataset(0), InvalidArgument);
  });
}

TEST_CASE("any range of rows is that part of the whole, row-major and in this machine's byte order") {
  const std::string whole = row_major(example);
  const std::size_t row_bytes = whole.size() / example.shape.samples;
  for_each_kind([&](Made& made) {
    for (const RowRange rows :
         {RowRange{0, 1000}, {0, 1}, {999, 1000}, {3, 5}, {10, 10}, {1000, 1000}, {1, 999}})
      CHECK((read(made.source, rows) == whole.substr(rows.start * row_bytes, rows.count() * row_bytes)));
    CHECK_THROWS_AS(read(made.source, {999, 1001}), OutOfRange);
  });
}

TEST_CASE("extents agree with read, or there are none for any range") {
  const std::string whole = row_major(example);
  for_each_kind([&](Made& made) {
    for (const ByteRange bytes : {ByteRange{0, 14000}, {0, 2}, {4096, 8192}, {8192, 14000}, {6, 6}}) {
      std::vector<Extent> found;
      CHECK(made.source.extents(bytes, found) == made.source.has_extents());
      std::string part(bytes.bytes(), '?');
      auto* const to = reinterpret_cast<std::byte*>(part.data());
      if (!made.source.has_extents()) {
        CHECK(found.empty());
        CHECK_THROWS_AS(made.source.read_bytes(bytes, to), InvalidArgument);
        continue;
      }
      std::uint64_t sum = 0;
      for (const Extent& extent : found) sum += extent.bytes;
      CHECK(sum == bytes.bytes());
      made.source.read_bytes(bytes, to);
      CHECK((part == whole.substr(bytes.begin, bytes.bytes())));
    }
    std::vector<Extent> none;
    CHECK_THROWS_AS(made.source.extents({0, 14001}, none), OutOfRange);
  });
}

TEST_CASE("a source is loaded by any number of workers, and into loaders that exist") {
  World world(test::even_machine(2));
  const std::string whole = row_major(example);
  for_each_kind([&](Made& made) {
    for (const unsigned workers : {1U, 2U, 3U, 8U}) {
      auto loader = load(made.source, 33, with_workers(workers));
      CHECK((loaded_bytes(loader) == whole));
      BatchLoader other(made.source.dataset(7), with_workers(workers));
      read_into(made.source, other);
      CHECK((loaded_bytes(other) == whole));
      CHECK((loaded_bytes(load(made.source, loader.plan(), with_workers(workers))) == whole));
    }
  });
  CHECK(world.faulty.live_descriptors() == 0);
}

TEST_CASE("where reading fails in the middle, the error says where, and nothing is left") {
  World world(test::even_machine(2));
  for_each_kind([](Made& made) {
    if (!made.fail_in_the_middle) return;
    const auto name = test::unique_name("fails");
    const auto pieces = made.fail_in_the_middle();
    LoaderOptions options = with_workers(3);
    options.segment = SegmentOptions{.name = name};
    for (const auto& message :
         {message_of([&] { static_cast<void>(load(made.source, 100, options)); }), message_of([&] {
            static_cast<void>(read(made.source, {0, example.shape.samples}));
          })})
      for (const std::string& piece : pieces) {
        CAPTURE(message);
        CAPTURE(piece);
        CHECK(contains(message, piece));
      }
    CHECK(test::code_of([&] { Segment::open(name); }) == ENOENT);
  });
  CHECK(world.faulty.live_descriptors() == 0);
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("a stop that is requested ends reading and loading, and nothing is left") {
  World world(test::even_machine(2));
  for_each_kind([](Made& made) {
    const auto name = test::unique_name("stopped");
    LoaderOptions options = with_workers(2);
    options.segment = SegmentOptions{.name = name};
    options.stop.request();
    CHECK_THROWS_AS(load(made.source, 100, options), Stopped);
    std::string bytes(example.total_bytes(), '?');
    CHECK_THROWS_AS(made.source.read({0, 1000}, reinterpret_cast<std::byte*>(bytes.data()), options.stop),
                    Stopped);
    CHECK(test::code_of([&] { Segment::open(name); }) == ENOENT);
    CHECK_NOTHROW(load(made.source, 100, with_workers(2)));
  });
  CHECK(world.faulty.live_mappings() == 0);
}

TEST_CASE("one copy for all processes, of sources that have an identity; others are refused") {
  for_each_kind([](Made& made) {
    const auto name = test::unique_name("shared");
    const auto open = [&] { return open_or_create(made.source, name, 100); };
    if (made.source.identity().state.empty()) {
      CHECK(contains(message_of<InvalidArgument>(open), "has no key"));
      return;
    }
    const auto first = open();
    CHECK(first.segment()->origin() == made.source.identity());
    CHECK(open().segment()->created() == first.segment()->created());
    CHECK((loaded_bytes(open()) == row_major(example)));
  });
}

TEST_CASE("a function is called from one thread at a time, unless it takes more") {
  const Made made = of_function({{20000, 7}, "i2"}, Calls::one_at_a_time);
  CHECK(made.source.calls() == Calls::one_at_a_time);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      std::vector<std::byte> to(14);
      for (std::uint64_t row = 0; row < 2000; ++row) made.source.read({row, row + 1}, to.data());
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(std::static_pointer_cast<Function>(made.kept)->most_inside == 1);
  CHECK(of_function(example, Calls::any_thread).source.calls() == Calls::any_thread);
}

TEST_CASE("a source without rows is loaded as one") {
  for (const Kind& kind : all_kinds()) {
    INFO(kind.name);
    const Made made = kind.make({{0, 7}, "i2"});
    const auto loader = load(made.source, 10);
    CHECK(loader.num_batches() == 0);
    CHECK(loader.dataset() == Dataset({0, 7}, DType::i16, 10));
  }
}

TEST_CASE("sources whose bytes cannot be counted, or that are nothing, are refused when they are made") {
  constexpr auto most = ~std::uint64_t{0};
  const auto fill = [](RowRange, std::byte*) {};
  const int word = 0;
  CHECK_THROWS_AS(function_source({most, 2}, DType::f64, fill), InvalidArgument);
  CHECK_THROWS_AS(function_source({1, 0}, DType::f64, fill), InvalidArgument);
  CHECK_THROWS_AS(function_source({1, 1}, DType::f64, {}), InvalidArgument);
  CHECK_THROWS_AS(function_source({1, 1}, DType::f64, fill, {.key = "", .granule_rows = 0}), InvalidArgument);
  CHECK_THROWS_AS(memory_source(&word, {most, 2}, DType::i32), InvalidArgument);
  CHECK_THROWS_AS(memory_source(nullptr, {1, 1}, DType::i32), InvalidArgument);
  CHECK_THROWS_AS(memory_source(std::span<const int>(&word, 1), 2), InvalidArgument);
  CHECK_THROWS_AS(Source(nullptr), InvalidArgument);
}

TEST_CASE("a load that is stopped while it runs ends at its next look, and leaves no name") {
  LoaderOptions options = with_workers(1);
  const auto name = test::unique_name("halfway");
  options.segment = SegmentOptions{.name = name};
  int calls = 0;
  const auto source = function_source({3 << 20, 1}, DType::f64, [&](RowRange, std::byte*) {
    ++calls;
    options.stop.request();
  });
  CHECK(contains(message_of<Stopped>([&] { static_cast<void>(load(source, 1024, options)); }), "stop token"));
  CHECK(calls == 1);
  CHECK(test::code_of([&] { Segment::open(name); }) == ENOENT);
}

TEST_CASE("what no format knows is refused, with what it begins with") {
  const TemporaryFile file("neither fish nor flesh");
  const auto message = message_of<FormatError>([&] { open_source(file.path()); });
  CHECK(contains(message, file.path()));
  CHECK(contains(message, "neither fish"));
  CHECK(contains(message, ".npy"));
  const TemporaryFile words(npy_file({{4, 1}, "u2"}));
  CHECK(open_source(words.path(), {.dtype = DType::bf16}).dtype() == DType::bf16);
  CHECK(contains(message_of<InvalidArgument>([&] { open_source(words.path(), {.dtype = DType::f32}); }),
                 "holds u16, not f32"));
}
