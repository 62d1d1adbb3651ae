// Goal: a dataset in a segment is one dataset for all processes that open it, is never half made, never
// believed without being checked, and its name goes when it should and not before.
// Method: real files in memory and real processes, forked; the fake machine where nodes, faults or another
// user are wanted. Each test leaves no name behind, which the last one checks.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <nodewise/error.hpp>
#include <nodewise/load.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/segment.hpp>
#include <nodewise/shared_objects.hpp>

#include "segment/names.hpp"
#include "support/counting.hpp"
#include "support/files.hpp"
#include "support/machines.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"
#include "support/workers.hpp"

using namespace nodewise;
using test::Child;
using test::MiB;
using test::Signal;
using test::unique_name;
using test::World;

namespace {

constexpr Shape shape{1000, 16};
constexpr std::uint64_t batch_size = 64;

LoaderOptions in_segment(const std::string& name, bool keep = false) {
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name, .keep = keep};
  options.team.workers = 2;
  return options;
}

BatchLoader make(const std::string& name, bool keep = false) {
  const auto data = test::counting<float>(shape.samples * shape.features);
  return BatchLoader(data.data(), {shape, DType::f32, batch_size}, in_segment(name, keep));
}

bool counts_through(const AnyConstBatchView& view, std::uint64_t batch) {
  const auto rows = view.as<float>();
  const auto first = static_cast<float>(batch * batch_size * shape.features);
  return rows(0, 0) == first && rows(rows.rows() - 1, 15) == first + static_cast<float>(rows.size()) - 1;
}

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

bool exists(const std::string& name) {
  return std::filesystem::exists(path_of(name));
}

int code_of_opening(const std::string& name) {
  return test::code_of([&] { Segment::open(name); });
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("what one process makes, another opens by name: views, plan, means; writes are seen by both") {
  const auto name = unique_name("two");
  auto loader = make(name);
  REQUIRE(loader.segment().has_value());
  CHECK(loader.segment()->name() == name);
  CHECK(loader.pages().backing() == Backing::segment);
  CHECK(loader.is_zero_copy(3));
  const auto means = loader.means();
  Child other([&] {
    auto mine = BatchLoader::open(name, Access::read_write);
    if (mine.num_batches() != 16 || mine.plan() != loader.plan()) return false;
    for (std::uint64_t batch = 0; batch < 16; ++batch)
      if (!counts_through(mine.get_batch(batch), batch) || !mine.is_zero_copy(batch)) return false;
    if (mine.means() != means) return false;
    mine.write_to_buffer(999, 15, -1.0F);
    return true;
  });
  CHECK(other.wait() == 0);
  CHECK(loader.get_batch(15).as<float>()(39, 15) == -1.0F);
  loader.write_to_buffer(999, 15, -2.0F);
  const Segment segment = Segment::open(name);
  CHECK(segment.get_batch(15).as<float>()(39, 15) == -2.0F);
  CHECK(segment.get_batch(15).rows() == 40);
  CHECK_THROWS_AS(static_cast<void>(segment.get_batch(16)), OutOfRange);
  CHECK(segment.kind() == SegmentKind::dataset);
  CHECK(segment.owner().pid == static_cast<std::uint32_t>(::getpid()));
  CHECK(owner_state(segment.owner()) == SegmentOwner::State::alive);
}

TEST_CASE("pages lie by plan, and whoever opens the segment can see it") {
  World world(test::even_machine(4));
  const auto name = unique_name("placed");
  LoaderOptions options = in_segment(name);
  options.binding = Binding::required;
  options.team = test::workers(4);
  const BatchLoader loader({{4096, 128}, DType::f32, 16}, options);
  for (const auto& seen : {BatchLoader::open(name).placement(), loader.placement()}) {
    CHECK(seen.local_fraction() == 1.0);
    CHECK(seen.placing_rung() == PlacingRung::mbind);
    CHECK(seen.total().local_bytes == 4096 * 128 * 4);
    CHECK(seen.degradations().empty());
  }
  world.faulty.refuse(os::Call::pages_status, EPERM);
  const auto by_sums = BatchLoader::open(name).placement();
  CHECK(by_sums.asking_rung() == AskingRung::numa_maps);
  CHECK(by_sums.local_fraction() == 1.0);
}

TEST_CASE("on this machine too, by a process that never touched the pages") {
  const auto name = unique_name("asked");
  const auto loader = make(name);
  Child other([&] {
    const auto placement = BatchLoader::open(name).placement();
    return placement.asking_rung() != AskingRung::move_pages || placement.total().absent_bytes == 0;
  });
  CHECK(other.wait() == 0);
}

TEST_CASE("the last holder takes the name away, whoever it is") {
  const auto name = unique_name("last");
  SUBCASE("the maker") {
    { const auto loader = make(name); }
    CHECK_FALSE(exists(name));
  }
  SUBCASE("a reader") {
    auto loader = std::make_unique<BatchLoader>(make(name));
    auto reader = std::make_unique<Segment>(Segment::open(name));
    loader.reset();
    CHECK(exists(name));
    CHECK(code_of_opening(name) == 0);  // opened and closed: not the last
    CHECK(exists(name));
    reader.reset();
    CHECK_FALSE(exists(name));
  }
  SUBCASE("views' owner counts") {
    auto loader = std::make_unique<BatchLoader>(make(name));
    Pages pages = loader->pages();
    loader.reset();
    CHECK(exists(name));
    pages = Pages();
    CHECK_FALSE(exists(name));
  }
  SUBCASE("nobody, if it is to be kept") {
    { const auto loader = make(name, true); }
    REQUIRE(exists(name));
    const Segment kept = Segment::open(name);
    CHECK(kept.kept());
    kept.remove();
    kept.remove();
    CHECK_FALSE(exists(name));
    CHECK(counts_through(kept.get_batch(2), 2));
  }
  CHECK(code_of_opening(name) == ENOENT);
}

TEST_CASE("a forked child sees the memory, and its end changes nothing") {
  const auto name = unique_name("forked");
  auto loader = std::make_unique<BatchLoader>(make(name));
  Child child([&] {
    const bool seen = counts_through(loader->get_batch(5), 5);
    loader.reset();
    return seen && exists(name);
  });
  CHECK(child.wait() == 0);
  CHECK(exists(name));
  CHECK(counts_through(loader->get_batch(5), 5));
}

TEST_CASE("a name that is taken, or cannot be one, is refused and left alone") {
  const auto name = unique_name("taken");
  const auto loader = make(name);
  try {
    make(name);
    FAIL("made twice");
  } catch (const SystemError& error) {
    CHECK(error.code() == EEXIST);
    CHECK(std::string(error.what()).find(name) != std::string::npos);
  }
  const Segment opened = Segment::open(name);
  CHECK(counts_through(opened.get_batch(1), 1));
  for (const char* bad : {"a/b", "../x", ".hidden", "a b", "\n", "-x"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(make(bad), InvalidArgument);
    CHECK_THROWS_AS(Segment::open(bad), InvalidArgument);
  }
  CHECK_THROWS_AS(Segment::open(""), InvalidArgument);
  CHECK_THROWS_AS(make(std::string(201, 'x')), InvalidArgument);
  CHECK_THROWS_AS(make("", true), InvalidArgument);
}

TEST_CASE("another user's file under this user's name is refused") {
  World world(test::even_machine(1));
  world.fake.become_user(::geteuid() + 1000);
  const auto name = unique_name("foreign");
  write_file(path_of(name), std::string(8192, 'x'));
  CHECK(code_of_opening(name) == EPERM);
  CHECK(test::list_own_segments().empty());
  CHECK(test::collect_own_segments().empty());
  CHECK(exists(name));
  std::filesystem::remove(path_of(name));
}

TEST_CASE("a link under the name is not followed") {
  const auto name = unique_name("link"), target = unique_name("target");
  const auto loader = make(target);
  std::filesystem::create_symlink(path_of(target), path_of(name));
  CHECK(code_of_opening(name) == ELOOP);
  CHECK_THROWS_AS(make(name), SystemError);
  std::filesystem::remove(path_of(name));
}

TEST_CASE("what a dead maker left is nobody's segment, and is replaced") {
  const auto name = unique_name("dead");
  Signal placed;
  LoaderOptions options = in_segment(name);
  options.segment->publish = false;
  Child maker([&] {
    const BatchLoader loader({shape, DType::f32, batch_size}, options);
    return placed.give_and_stay();
  });
  placed.await();
  CHECK(exists(name));
  CHECK_THROWS_AS(make(name), SystemError);  // it lives
  maker.kill();
  CHECK(exists(name));
  CHECK(code_of_opening(name) == ENOENT);
  SUBCASE("by the next maker") {
    const auto loader = make(name);
    const Segment opened = Segment::open(name);
    CHECK(counts_through(opened.get_batch(0), 0));
  }
  SUBCASE("or collected") {
    const auto collected = test::collect_own_segments();
    CHECK(std::any_of(collected.begin(), collected.end(), [&](auto& info) { return info.name == name; }));
  }
  CHECK_FALSE(exists(name));
}

TEST_CASE("a process that is killed is gone, though a child that it forked lives on") {
  const auto name = unique_name("orphan");
  for (const bool published : {false, true}) {
    Signal ready;
    const test::SharedCount orphan;
    Child maker([&] {
      LoaderOptions options = in_segment(name);
      options.segment->publish = published;
      const BatchLoader loader({shape, DType::f32, batch_size}, options);
      if (::fork() == 0) {
        *orphan = ::getpid();
        ready.give();
      }
      ::pause();
      return true;
    });
    ready.await();
    CHECK(test::collect_own_segments().empty());
    maker.kill();
    const auto collected = test::collect_own_segments();
    CHECK(std::any_of(collected.begin(), collected.end(), [&](auto& info) { return info.name == name; }));
    CHECK_FALSE(exists(name));
    ::kill(static_cast<pid_t>(*orphan), SIGKILL);
    test::remove_openmp_file(static_cast<pid_t>(*orphan));
  }
}

TEST_CASE("who opens what is being made waits until it is published") {
  const auto name = unique_name("waiting");
  LoaderOptions options = in_segment(name);
  options.segment->publish = false;
  BatchLoader loader({shape, DType::f32, batch_size}, options);
  CHECK_FALSE(loader.segment().has_value());
  Signal started;
  Child reader([&] {
    started.give();
    const Segment opened = Segment::open(name);
    return opened.get_batch(3).as<float>()(0, 0) == 7;
  });
  started.await();
  loader.write_to_buffer(3 * batch_size, 0, 7.0F);
  loader.publish();
  CHECK(reader.wait() == 0);
  CHECK_THROWS_AS(loader.publish(), InvalidArgument);
}

TEST_CASE("segments of killed processes are collected, those in use and kept ones are not") {
  const auto lost = unique_name("lost"), kept = unique_name("kept"), used = unique_name("used");
  Signal made;
  Child maker([&] {
    const auto a = make(lost), b = make(kept, true), c = make(used);
    return made.give_and_stay();
  });
  made.await();
  const auto names = [](const std::vector<SegmentInfo>& list) {
    std::vector<std::string> result;
    for (const SegmentInfo& info : list) result.push_back(info.name);
    return result;
  };
  const auto has = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  CHECK_FALSE(has(names(test::collect_own_segments()), lost));  // its maker lives
  const Segment in_use = Segment::open(used);
  for (const SegmentInfo& info : test::list_own_segments()) {
    if (info.name != used) continue;
    CHECK(info.published);
    CHECK(info.held);
    CHECK(info.attached.value_or(2) == 2);
    CHECK(info.owner_state == SegmentOwner::State::alive);
    CHECK(info.dataset.shape() == shape);
  }
  maker.kill();
  CHECK(has(names(test::collect_own_segments({.dry_run = true})), lost));
  CHECK(exists(lost));
  const auto collected = names(test::collect_own_segments());
  CHECK(has(collected, lost));
  CHECK_FALSE(has(collected, kept));
  CHECK_FALSE(has(collected, used));
  CHECK_FALSE(exists(lost));
  CHECK(counts_through(in_use.get_batch(7), 7));
  CHECK_FALSE(has(names(test::collect_own_segments({.older_than = std::chrono::hours(1)})), kept));
  CHECK(has(names(test::collect_own_segments({.older_than = std::chrono::seconds(0)})), kept));
}

TEST_CASE("a memfd has no name, cannot shrink, and is passed on by its descriptor") {
  auto loader = make("");
  CHECK(loader.pages().backing() == Backing::memfd);
  REQUIRE(loader.segment().has_value());
  const int descriptor = loader.segment()->descriptor();
  REQUIRE(descriptor >= 0);
  CHECK(::ftruncate(descriptor, 0) != 0);
  Child child([&] {
    auto mine = BatchLoader::open(Segment::open_descriptor(descriptor, Access::read_write));
    mine.get_batch(1).as<float>()(0, 0) = -5;
    return counts_through(mine.get_batch(2), 2);
  });
  CHECK(child.wait() == 0);
  CHECK(loader.get_batch(1).as<float>()(0, 0) == -5);
  CHECK_THROWS_AS(Segment::open_descriptor(-1), SystemError);
  const int file = ::open("/dev/null", O_RDWR);
  CHECK_THROWS_AS(Segment::open_descriptor(file), Error);
  ::close(file);
}

TEST_CASE("no room: refused before, or while pages are made, and nothing stays") {
  World world(test::even_machine(2));
  const auto name = unique_name("room");
  SUBCASE("known before") {
    world.fake.set_space("/dev/shm", {os::FileSystem::memory, MiB, 1000, 4096});
    try {
      make(name);
      FAIL("made");
    } catch (const PlacementError& error) {
      const std::string message = error.what();
      for (const char* piece : {"1000 bytes", "69632 bytes", "--shm-size"})
        CHECK(message.find(piece) != std::string::npos);
    }
  }
  SUBCASE("found out late") {
    world.faulty.fail(os::Call::populate_shared, 1, EFAULT);
    CHECK_THROWS_WITH_AS(make(name), doctest::Contains("/dev/shm"), SystemError);
  }
  SUBCASE("for the header") {
    world.faulty.fail(os::Call::populate_shared, 3, EFAULT);
    CHECK_THROWS_WITH_AS(make(name), doctest::Contains("bytes free of"), SystemError);
  }
  SUBCASE("for objects") {
    world.faulty.fail(os::Call::populate_shared, 1, EFAULT);
    CHECK_THROWS_WITH_AS(SharedObjects::create(name), doctest::Contains("bytes free of"), SystemError);
  }
  SUBCASE("no file system in memory") {
    world.fake.set_space("/dev/shm", {os::FileSystem::other, 100 * MiB, 100 * MiB, 4096});
    CHECK_THROWS_WITH_AS(make(name), doctest::Contains("tmpfs"), SystemError);
  }
  CHECK_FALSE(exists(name));
  CHECK(world.faulty.live_mappings() == 0);
  CHECK(world.faulty.live_descriptors() == 0);
}

TEST_CASE("a transposed file is there only when it is read") {
  const auto name = unique_name("transposed");
  std::string npy("\x93NUMPY\x01\0\x76\0{'descr': '|u1', 'fortran_order': True, 'shape': (3, 2)}", 66);
  npy += std::string(128 - npy.size() - 1, ' ') + "\n" + "\1\2\3\4\5\6";
  const test::TemporaryFile file(npy);
  const auto loader = load_npy(file.path(), 2, in_segment(name));
  CHECK(BatchLoader::open(name).means() == std::vector<double>{3, 4.5});
}

TEST_CASE("an empty dataset has a segment too") {
  const auto name = unique_name("empty");
  const BatchLoader loader({{0, 3}, DType::f64, 10}, in_segment(name));
  const auto opened = BatchLoader::open(name);
  CHECK(opened.num_batches() == 0);
  CHECK(opened.means().empty());
}

// What lies in another folder is found in a mount that this machine is told to have.
TEST_CASE("a name is one segment's, in whichever folder it lies") {
  const auto folder = std::filesystem::path("/dev/shm") / unique_name("mount");
  std::filesystem::create_directory(folder);
  const auto name = unique_name("one");
  const auto elsewhere = segment_path(folder, name);
  {
    World world(test::even_machine(1));
    world.fake.set_text("/proc/self/mounts", "none " + folder.string() + " hugetlbfs rw 0 0\n");
    BatchLoader({{8, 4}, DType::f32, 4}, in_segment(name));
    std::ofstream(elsewhere) << std::string(4096, char{});  // what a maker left that died
    const BatchLoader made({{8, 4}, DType::f32, 4}, in_segment(name));
    CHECK_FALSE(std::filesystem::exists(elsewhere));
    std::filesystem::copy_file(path_of(name), elsewhere);
    std::ofstream(path_of(name)) << std::string(4096, char{});  // so did another one
    try {
      BatchLoader({{8, 4}, DType::f32, 4}, in_segment(name));
      FAIL("the name was given twice");
    } catch (const SystemError& error) {
      CHECK(error.code() == EEXIST);
      CHECK(std::string(error.what()).find(elsewhere) != std::string::npos);
    }
    CHECK_FALSE(std::filesystem::exists(path_of(name)));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("who holds a file of the same number in another file system is not counted") {
  // Method: the kernel's own line, beside the one that another container's /dev/shm would have.
  const auto name = unique_name("count");
  const BatchLoader loader = make(name);
  const auto attached = [&] {
    for (const SegmentInfo& info : test::list_own_segments())
      if (info.name == name) return info.attached;
    return std::optional<unsigned>();
  };
  struct stat status {};
  REQUIRE(::stat(path_of(name).c_str(), &status) == 0);
  const auto inode = std::to_string(status.st_ino);
  REQUIRE(attached().value_or(1) == 1);
  World world(test::even_machine(1));
  const auto lines = [&](const std::string& device) {
    return "1: OFDLCK ADVISORY  READ -1 " + device + ':' + inode + " 1 1\n";
  };
  world.fake.set_text("/proc/locks", lines("00:fffff") + lines("fe:00"));
  CHECK(attached() == 0U);
}

TEST_CASE(
    "pages of the pool come from the first mount with room that this user may write to, whatever it is "
    "called") {
  // Method: two mounts that this machine is told to have, of pages that need no pool; the first one refuses,
  // then is full.
  const auto base = "/dev/shm/" + unique_name("mount");
  const auto first = base + " no", second = base + " yes";
  for (const auto& folder : {first, second}) std::filesystem::create_directory(folder);
  {
    World world(test::even_machine(1));
    world.fake.set_text("/proc/self/mounts", "none " + base + "\\040no hugetlbfs rw 0 0\n" +  //
                                                 "none " + base + "\\040yes hugetlbfs rw 0 0\n");
    world.fake.set_text("/proc/meminfo", "Hugepagesize: 4 kB\n");
    for (const auto& folder : {first, second})
      world.fake.set_space(folder, {os::FileSystem::huge_pages, 100 * MiB, 100 * MiB, 4096});
    LoaderOptions options = in_segment(unique_name("pool"));
    options.pages = PageKind::hugetlb;
    const auto made_in = [&] { return BatchLoader({{8, 4}, DType::f32, 4}, options).segment()->path(); };
    world.faulty.fail(os::Call::create_shared, 1, EACCES);
    CHECK(made_in().starts_with(second));
    CHECK(made_in().starts_with(first));
    world.fake.set_space(first, {os::FileSystem::huge_pages, 100 * MiB, 0, 4096});
    CHECK(made_in().starts_with(second));
    world.faulty.refuse(os::Call::create_shared, EACCES);
    CHECK(test::code_of([&] { made_in(); }) == EACCES);
  }
  for (const auto& folder : {first, second}) std::filesystem::remove_all(folder);
}
