// Goal: segments that may only be read exist, for all that only looks; nothing waits without an end for a
// process that is stopped; and what is listed can be opened, or says why not. Method: a system that refuses
// to open files for writing; children that stay while they have a file locked; files that no maker would
// make.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/shared_objects.hpp>

#include "os/fakes/faulty.hpp"
#include "os/file.hpp"
#include "segment/header.hpp"
#include "segment/locks.hpp"
#include "segment/names.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::Child;
using test::code_of;
using test::message_of;
using test::Signal;
using test::unique_name;

namespace {

// As on a file system that is mounted for reading alone.
class ReadOnly : public os::Faulty {
 public:
  ReadOnly() : Faulty(os::real()) {}
  os::Result<int> open_shared(const std::string& path, bool writable) override {
    return writable ? os::Result<int>{-1, EROFS} : Faulty::open_shared(path, writable);
  }
  os::Result<int> reopen(int descriptor, bool writable) override {
    return writable ? os::Result<int>{-1, EROFS} : Faulty::reopen(descriptor, writable);
  }
};

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

LoaderOptions in_segment(const std::string& name, bool publish = true) {
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name, .publish = publish};
  return options;
}

std::optional<SegmentInfo> listed(const std::string& name) {
  for (SegmentInfo& info : test::list_own_segments())
    if (info.name == name) return std::move(info);
  return std::nullopt;
}

std::string header_of(std::uint64_t page_bytes, std::uint64_t file_bytes) {
  SegmentHeader header;
  header.kind = SegmentKind::objects;
  header.total_bytes = file_bytes;
  header.page_bytes = page_bytes;
  header.data_offset = 8192;
  header.data_bytes = file_bytes - 8192;
  header.keep = true;
  return write_segment_header(header);
}

void write(const std::string& path, std::string bytes, std::size_t file_bytes) {
  bytes.resize(file_bytes);
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("a segment that may only be read is listed, and opened for reading") {
  const auto name = unique_name("readonly");
  BatchLoader loader({{8, 4}, DType::f32, 4}, in_segment(name));
  loader.write_to_buffer(5, 2, 7.0F);
  {
    ReadOnly read_only;
    const os::Scoped scoped(read_only);
    REQUIRE(listed(name).has_value());
    CHECK(listed(name)->fault == "");
    CHECK(listed(name)->dataset.shape().samples == 8);
    const Segment segment = Segment::open(name);
    CHECK(segment.get_batch(1).as<float>()(1, 2) == 7);
    Child child([&] { return segment.get_batch(1).as<float>()(1, 2) == 7; });
    CHECK(child.wait() == 0);
    CHECK(code_of([&] { Segment::open(name, Access::read_write); }) == EROFS);
    CHECK(code_of([&] { segment.remove(); }) == EROFS);
    test::collect_own_segments();
  }
  CHECK(std::filesystem::exists(path_of(name)));
}

TEST_CASE("whoever waits for a process that is stopped waits no longer than he said") {
  const auto name = unique_name("stopped");
  Signal ready;
  const auto refused = [&](const auto& open) {
    CHECK(code_of(open) == ETIMEDOUT);
    CHECK(test::contains(message_of(open), "stopped"));
    CHECK(test::contains(message_of(open), name));
  };
  const auto all_refused = [&] {
    refused([&] { Segment::open(name, Access::read_only, 20ms); });
    refused([&] { Segment::open(name, Access::read_write, 0s); });
    refused([&] { SharedObjects::open(name, 20ms); });
    refused([&] { BatchRing::open(name, 20ms); });
    CHECK(listed(name).has_value());
  };
  SUBCASE("while it makes a segment") {
    Child maker([&] {
      const BatchLoader loader({{8, 4}, DType::f32, 4}, in_segment(name, false));
      return ready.give_and_stay();
    });
    ready.await();
    all_refused();
    CHECK_FALSE(listed(name)->published);
    maker.kill();
    test::collect_own_segments();
  }
  SUBCASE("while it collects or gives up a segment") {
    const BatchLoader loader({{8, 4}, DType::f32, 4}, in_segment(name));
    Child collector([&] {
      os::Os& os = os::current();
      const os::File other(os.open_shared(path_of(name), true));
      // The loader's own lock is as if it were gone.
      return os.lock_byte(other.descriptor(), maker_byte, os::Lock::exclusive, false) == 0 &&
             ready.give_and_stay();
    });
    ready.await();
    CHECK_NOTHROW(Segment::open(name, Access::read_only, 20ms));  // that lock is not its own
    CHECK(code_of([&] { loader.segment()->remove(); }) == EAGAIN);
    collector.kill();
  }
}

TEST_CASE("a holder byte that is locked by a stopped process is waited for no longer than was said") {
  const auto name = unique_name("exclusive");
  write(path_of(name), header_of(4096, 16384), 16384);
  Signal ready;
  Child collector([&] {
    os::Os& os = os::current();
    const os::File file(os.open_shared(path_of(name), true));
    return os.lock_byte(file.descriptor(), holder_byte, os::Lock::exclusive, false) == 0 &&
           ready.give_and_stay();
  });
  ready.await();
  CHECK(code_of([&] { Segment::open(name, Access::read_only, 20ms); }) == ETIMEDOUT);
  CHECK(listed(name).has_value());
  collector.kill();
  CHECK_NOTHROW(Segment::open(name, Access::read_only, 20ms));
  std::filesystem::remove(path_of(name));
}

TEST_CASE("files with names that no segment can have are no segments") {
  const std::vector<std::string> names = {"a b", ".hidden", "-x", "\x1b[2J", std::string(201, 'x')};
  for (const std::string& bad : names) {
    const auto path = path_of(bad);
    write(path, header_of(4096, 16384), 16384);
    CHECK_FALSE(listed(bad).has_value());
    std::filesystem::remove(path);
  }
}

TEST_CASE("a size of pages that opening refuses is a fault that the list names") {
  const auto name = unique_name("pages");
  write(path_of(name), header_of(512, 16384), 16384);
  CHECK_THROWS_AS(Segment::open(name), FormatError);
  REQUIRE(listed(name).has_value());
  CHECK(test::contains(listed(name)->fault, "pages of 512 bytes"));
  std::filesystem::remove(path_of(name));
}

TEST_CASE("of two mounts of huge pages that have the name, the first one counts, as the page says") {
  const auto base = "/dev/shm/" + unique_name("mount");
  const auto first = base + ".1", second = base + ".2", name = unique_name("twice");
  for (const auto& folder : {first, second}) {
    std::filesystem::create_directory(folder);
    write(segment_path(folder, name), header_of(4096, 16384), 16384);
  }
  {
    test::World world(test::even_machine(1));
    world.fake.set_text("/proc/self/mounts",
                        "none " + first + " hugetlbfs rw 0 0\nnone " + second + " hugetlbfs rw 0 0\n");
    CHECK(Segment::open(name).path().starts_with(first));
  }
  for (const auto& folder : {first, second}) std::filesystem::remove_all(folder);
}
