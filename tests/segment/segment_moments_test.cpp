// Goal: what processes do to one segment at the same moment costs nobody a segment, and leaves no name.
// Method: real files and locks; what another process would do in between is done just before a lock is taken,
// or by a forked child that stays.
#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/segment.hpp>

#include "os/fakes/faulty.hpp"
#include "segment/file.hpp"
#include "segment/names.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::Child;
using test::Signal;
using test::unique_name;

namespace {

// The real system, in which something happens just before the next exclusive lock.
class Meanwhile : public os::Faulty {
 public:
  explicit Meanwhile(std::function<void()> happens) : Faulty(os::real()), happens_(std::move(happens)) {}
  int lock_byte(int descriptor, std::uint64_t offset, os::Lock lock, bool wait) override {
    if (lock == os::Lock::exclusive)
      if (const auto happens = std::exchange(happens_, {})) happens();
    return Faulty::lock_byte(descriptor, offset, lock, wait);
  }

 private:
  std::function<void()> happens_;
};

std::shared_ptr<SegmentFile> begin(const std::string& name) {
  return SegmentFile::create({.name = name, .data_bytes = 4096, .header_bytes = 320});
}

std::shared_ptr<SegmentFile> make(const std::string& name, bool keep = false) {
  auto file = begin(name);
  SegmentHeader header;
  header.dataset = {{64, 64}, DType::u8, 1};
  header.keep = keep;
  file->publish(header);
  return file;
}

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

bool exists(const std::string& name) {
  return std::filesystem::exists(path_of(name));
}

// What a process leaves that dies while it makes a segment.
void leave_unfinished(const std::string& name) {
  os::real().close_file(os::real().create_shared(path_of(name)).value);
}

// A reader that looks whether a maker is there, and goes on after a while.
std::thread read_briefly(const std::string& name) {
  const int descriptor = os::real().open_shared(path_of(name), false).value;
  REQUIRE(os::real().lock_byte(descriptor, maker_byte, os::Lock::shared, false) == 0);
  return std::thread([descriptor] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    os::real().close_file(descriptor);
  });
}

}  // namespace

TEST_CASE("a forked child that lives on is no holder, whoever of the others is last") {
  const auto name = unique_name("fork");
  bool child_has_last = false;
  SUBCASE("of a segment that the child has too") {
    child_has_last = true;
  }
  SUBCASE("of one that it has not") {}
  for (const Access access : {Access::read_only, Access::read_write}) {
    CAPTURE(static_cast<int>(access));
    auto maker = make(name);
    auto before = std::make_unique<Segment>(Segment::open(name, access));
    const Signal over;
    Child child([&] {
      over.await();
      return before->get_batch(0).rows() == 1;
    });
    auto after = std::make_unique<Segment>(Segment::open(name));
    maker.reset();
    if (child_has_last) {
      after.reset();
      before.reset();
    } else {
      before.reset();
      after.reset();
    }
    CHECK_FALSE(exists(name));
    over.give();
    CHECK(child.wait() == 0);
  }
}

TEST_CASE("a kept segment that is published while garbage is collected stays") {
  const auto name = unique_name("published");
  const Signal begun, now;
  Child maker([&] {
    auto file = begin(name);
    begun.give();
    now.await();
    SegmentHeader header;
    header.dataset = {{64, 64}, DType::u8, 1};
    header.keep = true;
    file->publish(header);
    file.reset();
    return true;
  });
  begun.await();
  Meanwhile meanwhile([&] {
    now.give();
    CHECK(maker.wait() == 0);
  });
  const os::Scoped scoped(meanwhile);
  for (const SegmentInfo& info : test::collect_own_segments()) CHECK(info.name != name);
  CHECK(exists(name));
  std::filesystem::remove(path_of(name));
}

TEST_CASE("looking for garbage without removing it keeps nobody from being the last holder") {
  const auto name = unique_name("dry");
  leave_unfinished(name);
  Meanwhile meanwhile([] { FAIL("took a lock that excludes others"); });
  const os::Scoped scoped(meanwhile);
  bool found = false;
  for (const SegmentInfo& info : test::collect_own_segments({.dry_run = true}))
    found = found || info.name == name;
  CHECK(found);
  CHECK(exists(name));
  std::filesystem::remove(path_of(name));
}

TEST_CASE("a maker that meets a reader before it has its locks makes its segment all the same") {
  const auto name = unique_name("met");
  std::thread reader;
  SUBCASE("a new one") {
    Meanwhile meanwhile([&] { reader = read_briefly(name); });
    const os::Scoped scoped(meanwhile);
    CHECK_NOTHROW(make(name));
  }
  SUBCASE("in the place of what a dead maker left") {
    leave_unfinished(name);
    Meanwhile meanwhile([&] { reader = read_briefly(name); });
    const os::Scoped scoped(meanwhile);
    CHECK_NOTHROW(make(name));
  }
  reader.join();
  CHECK_FALSE(exists(name));
}
