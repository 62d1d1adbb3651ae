// Reading .npy files into placed memory.
//
// Goal: whatever the element type, element order and byte order of a file, and however many workers read it,
// the loader ends with the same row-major bytes; what goes wrong while opening or reading is told with file,
// place and cause, and leaves nothing open. Method: files made by hand, with elements that follow from their
// position, loaded on a fake machine of two nodes; calls that stutter, fail, or meet a file that shrank.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>
#include <nodewise/npy.hpp>

#include "source/arrays.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"

using namespace nodewise;
using test::Array;
using test::contains;
using test::message_of;
using test::npy_file;
using test::row_major;
using test::TemporaryFile;

namespace {

LoaderOptions with_workers(unsigned workers) {
  LoaderOptions options;
  options.team.workers = workers;
  return options;
}

std::string_view loaded_bytes(const BatchLoader& loader) {
  return {reinterpret_cast<const char*>(loader.buffer().data()), loader.plan().dataset().total_bytes()};
}

}  // namespace

TEST_CASE("every element order, byte order and width, read by 1, 2, 3 and 8 workers, gives the same bytes") {
  test::World world(test::even_machine(2));
  const Shape shapes[] = {
      {1000, 7},    // short columns
      {30000, 3},   // long columns, few of them
      {9000, 300},  // several blocks of rows and of columns
      {2, 50000},   // fewer rows than workers, wide
      {1, 40},      // one row: either order is the same
      {40, 1},
  };
  for (const Shape shape : shapes)
    for (const std::string code : {"u1", "f2", "i4", "f8"})
      for (const bool fortran : {false, true})
        for (const bool other_byte_order : {false, true}) {
          const Array array{shape, code, fortran, other_byte_order};
          if (array.total_bytes() > 12'000'000 || (other_byte_order && code == "u1")) continue;
          const TemporaryFile file(npy_file(array));
          const std::string expected = row_major(array);
          for (const unsigned workers : {1U, 2U, 3U, 8U}) {
            CAPTURE(shape.samples);
            CAPTURE(code);
            CAPTURE(fortran);
            CAPTURE(other_byte_order);
            CAPTURE(workers);
            const auto loader = load_npy(file.path(), 100, with_workers(workers));
            CHECK((loaded_bytes(loader) == expected));
          }
        }
  CHECK(world.faulty.live_descriptors() == 0);
}

TEST_CASE("a file says what it is before it is read") {
  const TemporaryFile file(npy_file({{5, 3}, "i2", true, true}));
  const Source npy = npy_source(file.path());
  CHECK(npy.identity().name == file.path());
  CHECK(npy.shape() == Shape{5, 3});
  CHECK(npy.dtype() == DType::i16);
  CHECK_FALSE(npy.has_extents());
}

TEST_CASE("bytes behind the array are left alone") {
  const Array array{{10, 3}, "f4"};
  const TemporaryFile file(npy_file(array) + "another array follows");
  CHECK((loaded_bytes(load_npy(file.path(), 4)) == row_major(array)));
}

TEST_CASE("an array of no samples") {
  for (const bool fortran : {false, true}) {
    const TemporaryFile file(npy_file({{0, 3}, "f4", fortran}));
    const auto loader = load_npy(file.path(), 4);
    CHECK(loader.num_batches() == 0);
    CHECK(loader.means().empty());
  }
}

TEST_CASE("two-byte elements as bfloat16") {
  const Array array{{10, 3}, "u2", false, true};
  const TemporaryFile file(npy_file(array));
  const auto loader = load_npy(file.path(), 4, {}, {.as_bf16 = true});
  CHECK(loader.dataset().dtype() == DType::bf16);
  CHECK((loaded_bytes(loader) == row_major(array)));
}

TEST_CASE("one open file fills several loaders") {
  const Array array{{100, 3}, "f4"};
  const TemporaryFile file(npy_file(array));
  const Source npy = npy_source(file.path());
  for (const std::uint64_t batch_size : {1U, 7U, 100U}) {
    BatchLoader loader(npy.dataset(batch_size));
    read_into(npy, loader);
    CHECK((loaded_bytes(loader) == row_major(array)));
  }
}

TEST_CASE("a file's identity: another state after a change, the same content wherever a copy lies") {
  const TemporaryFile file(npy_file({{10, 3}, "u2"})), copy(npy_file({{10, 3}, "u2"}));
  const auto identity = [](const TemporaryFile& of, const NpyOptions& options = {}) {
    return npy_source(of.path(), options).identity();
  };
  const Identity before = identity(file);
  CHECK(before == identity(file));
  CHECK(identity(copy).state != before.state);
  CHECK(identity(copy).content == before.content);
  const Identity halves = identity(file, {.as_bf16 = true});
  CHECK(halves.name != before.name);
  CHECK(halves.state != before.state);
  CHECK(halves.content != before.content);
  std::filesystem::last_write_time(file.path(),
                                   std::filesystem::last_write_time(file.path()) - std::chrono::hours(1));
  CHECK(identity(file).state != before.state);
  CHECK(identity(file).content == before.content);
}

TEST_CASE("a file that is replaced while it is open goes on being read") {
  const Array array{{3000, 7}, "f8"};
  const TemporaryFile file(npy_file(array)), other(npy_file({{3, 7}, "f8"}));
  const Source npy = npy_source(file.path());
  std::filesystem::rename(other.path(), file.path());
  CHECK((loaded_bytes(load(npy, 100, with_workers(3))) == row_major(array)));
  CHECK(npy_source(file.path()).identity().state != npy.identity().state);
}

TEST_CASE("the handwritten digits have the means that Python's fsum gives") {
  const auto loader = load_npy(NODEWISE_TEST_DATA "/digits.npy", 1024);
  CHECK(loader.dataset().shape() == Shape{1797, 64});
  CHECK(loader.dataset().dtype() == DType::u8);
  CHECK(loader.means() == std::vector<double>{4.913238525390625, 4.845650064683053});
  CHECK(loader.get_batch_means() == std::vector<double>{4.9132, 4.8457});
  CHECK(load_npy(NODEWISE_TEST_DATA "/digits.npy", 1797).means() == std::vector<double>{4.884164579855314});
}

namespace {

/// Reads little at a time, and is interrupted in between.
class Stuttering : public os::Fake {
 public:
  using os::Fake::Fake;
  os::Result<std::size_t> read_at(int descriptor, void* data, std::size_t bytes,
                                  std::uint64_t offset) override {
    if (++calls_ % 3 == 0) return {0, EINTR};
    return os::Fake::read_at(descriptor, data, std::min<std::size_t>(bytes, 777), offset);
  }

 private:
  std::atomic<unsigned> calls_{0};
};

}  // namespace

TEST_CASE("short reads and interruptions change nothing") {
  Stuttering stuttering(test::even_machine(2));
  const os::Scoped scoped(stuttering);
  for (const bool fortran : {false, true}) {
    const Array array{{3000, 7}, "f8", fortran, true};
    const TemporaryFile file(npy_file(array));
    CHECK((loaded_bytes(load_npy(file.path(), 100, with_workers(3))) == row_major(array)));
  }
}

TEST_CASE("a file that shrinks after it was opened") {
  for (const bool fortran : {false, true}) {
    const Array array{{3000, 7}, "f8", fortran};
    const TemporaryFile file(npy_file(array));
    const Source npy = npy_source(file.path());
    BatchLoader loader(npy.dataset(100), with_workers(1));
    std::filesystem::resize_file(file.path(), 100'000);
    const auto message = message_of<FormatError>([&] { read_into(npy, loader); });
    CAPTURE(message);
    CHECK(contains(message, file.path() + " shrank"));
    CHECK(contains(message, "nothing is at byte 100000"));
    CHECK(contains(message, std::to_string(test::npy_header(array).size() + array.total_bytes())));
  }
}

namespace {

/// States sizes that have passed by the time of reading.
class Overstating : public os::Fake {
 public:
  using os::Fake::Fake;
  os::Result<std::uint64_t> file_bytes(int descriptor) override {
    auto result = os::Fake::file_bytes(descriptor);
    result.value += 1000;
    return result;
  }
};

}  // namespace

TEST_CASE("a file that shrinks while it is opened") {
  Overstating overstating(test::even_machine(1));
  const os::Scoped scoped(overstating);
  const TemporaryFile file("short");
  const auto message = message_of<FormatError>([&] { npy_source(file.path()); });
  CHECK(contains(message, file.path() + " shrank while it was opened, from 1005 to 5 bytes"));
}

TEST_CASE("failing calls: file, place and cause are named, nothing stays open") {
  test::World world(test::even_machine(2));
  const Array array{{3000, 7}, "f8"};
  const TemporaryFile file(npy_file(array));
  const auto load = [&] { static_cast<void>(load_npy(file.path(), 100, with_workers(1))); };

  world.faulty.fail(os::Call::open_file, 1, EACCES);
  CHECK(
      contains(message_of<SystemError>(load), file.path() + " cannot be opened: Permission denied (EACCES)"));
  world.faulty.fail(os::Call::file_bytes, 1, EIO);
  CHECK(contains(message_of<SystemError>(load), file.path() + " cannot be read: Input/output error (EIO)"));
  world.faulty.fail(os::Call::read_at, 1, EIO);
  CHECK(contains(message_of<SystemError>(load), file.path() + " cannot be read: Input/output error (EIO)"));
  world.faulty.fail(os::Call::read_at, 2, EIO);
  const auto at = std::to_string(test::npy_header(array).size());
  CHECK(contains(message_of<SystemError>(load),
                 file.path() + " cannot be read at byte " + at + ": Input/output error (EIO)"));
  CHECK(world.faulty.live_descriptors() == 0);
  CHECK(world.faulty.live_mappings() == 0);
  CHECK_NOTHROW(load());
}

TEST_CASE("what cannot be opened as a .npy file") {
  const auto open = [](const std::string& path) { return [path] { static_cast<void>(npy_source(path)); }; };
  CHECK(contains(message_of<SystemError>(open("/no/such.npy")), "/no/such.npy cannot be opened"));
  CHECK(contains(message_of<SystemError>(open("/tmp")), "/tmp cannot be read: Is a directory (EISDIR)"));
  const TemporaryFile empty("");
  CHECK(contains(message_of<FormatError>(open(empty.path())), empty.path() + ": not an .npy file"));
  const Array array{{10, 3}, "f4"};
  const TemporaryFile cut(npy_file(array).substr(0, test::npy_header(array).size() + 100));
  const auto message = message_of<FormatError>(open(cut.path()));
  CHECK(contains(message, cut.path()));
  CHECK(contains(message, "need 120 bytes"));
  CHECK(contains(message, "only 100 are there"));
}

TEST_CASE("a loader made for another shape or element type is refused") {
  const TemporaryFile file(npy_file({{10, 3}, "f4"}));
  const Source npy = npy_source(file.path());
  for (auto& [shape, dtype] : std::vector<std::pair<Shape, DType>>{
           {{11, 3}, DType::f32}, {{10, 4}, DType::f32}, {{10, 3}, DType::i32}}) {
    BatchLoader loader({shape, dtype, 4});
    const auto message = message_of<InvalidArgument>([&] { read_into(npy, loader); });
    CHECK(contains(message, "10 x 3 f32"));
    CHECK(contains(message, std::to_string(shape.samples) + " x " + std::to_string(shape.features)));
  }
}
