// Goal: what the kernel's own files say, or that they are missing, never ends a program: odd control groups
// are read as far as they make sense, and what needs /proc fails by an error that names it, and leaves
// nothing. Method: lists of control groups and mounts on a fake machine, by hand and changed at random; the
// real system without /proc, as far as the library sees it. tests/command/kernel_files_test.py takes /proc
// and /sys away.
#include <doctest/doctest.h>

#include <cerrno>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <nodewise/batch_ring.hpp>
#include <nodewise/buffer.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/shared_objects.hpp>

#include "os/cgroup.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::code_of;
using test::message_of;
using test::unique_name;
using test::World;

namespace {

const std::string cgroup_mount = "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

using Folders = std::vector<std::string>;

Folders folders_of(World& world, const std::string& group, const std::string& mounts = cgroup_mount) {
  world.fake.set_text("/proc/self/cgroup", group);
  world.fake.set_text("/proc/self/mountinfo", mounts);
  return os::group_folders("");
}

// As where no /proc is mounted.
class NoProc : public os::Faulty {
 public:
  NoProc() : Faulty(os::real()) {}
  os::Result<std::string> read_text(const std::string& path) override {
    return is_there(path) ? Faulty::read_text(path) : os::Result<std::string>{{}, ENOENT};
  }
  os::Result<os::FileStatus> path_status(const std::string& path) override {
    return is_there(path) ? Faulty::path_status(path) : os::Result<os::FileStatus>{{}, ENOENT};
  }
  os::Result<int> reopen(int, bool) override { return {-1, ENOENT}; }

 private:
  static bool is_there(const std::string& path) { return !path.starts_with("/proc"); }
};

LoaderOptions in_segment(const std::string& name, PageKind pages = PageKind::automatic) {
  LoaderOptions options;
  options.segment = SegmentOptions();
  options.segment->name = name;
  options.pages = pages;
  return options;
}

}  // namespace

TEST_CASE("control groups with paths that no kernel writes") {
  World world(test::even_machine(1));
  const Folders top = {"/sys/fs/cgroup"};
  for (const std::string path : {"", "/", "name", "name/below", "..", "/..", "/../other", ":", "//"})
    CHECK_MESSAGE(folders_of(world, "0::" + path + '\n').back() == top[0], path);
  for (const std::string path : {"", "/", "name", "name/below", "/..", "/../other"})
    CHECK_MESSAGE(folders_of(world, "0::" + path + '\n') == top, path);
  CHECK(folders_of(world, "0::/..a/b\n") ==
        Folders{"/sys/fs/cgroup/..a/b", "/sys/fs/cgroup/..a", "/sys/fs/cgroup"});
  CHECK(folders_of(world, "").empty());
  CHECK(folders_of(world, "0::\n", "").empty());
  const std::string below = "30 1 0:26 /job /group rw - cgroup2 cgroup2 rw\n";
  CHECK(folders_of(world, "0::/job/step\n", below) == Folders{"/group/step", "/group"});
  CHECK(folders_of(world, "0::/jobs/step\n", below) == Folders{"/group"});
  CHECK(folders_of(world, "0::job\n", below) == Folders{"/group"});
}

TEST_CASE("control groups, mounts and quotas that are changed at random are read without an exception") {
  World world(test::even_machine(1));
  std::mt19937 random(20231);
  const std::string seeds[] = {
      "0::/jobs/7/step\n", "4:memory:/elsewhere\n3:cpu,cpuacct:/docker/abc\n0::/\n", cgroup_mount,
      "31 1 0:27 /docker/abc /sys/fs/cgroup/cpu\\040time rw - cgroup cgroup rw,cpu\n", "150000 100000\n"};
  const std::string alphabet = "/:.,- \\\n0129amxcpu\t";
  const auto mutated = [&](std::string text) {
    for (auto changes = random() % 6; changes > 0; --changes) {
      const auto at = random() % (text.size() + 1);
      if (random() % 2 == 0)
        text.insert(at, 1, alphabet[random() % alphabet.size()]);
      else
        text.erase(at, random() % 5);
    }
    return text;
  };
  for (unsigned round = 0; round < 100'000; ++round) {
    const std::string group = mutated(seeds[random() % 2]), mounts = mutated(seeds[2 + random() % 2]);
    CAPTURE(group);
    CAPTURE(mounts);
    for (const char* controller : {"", "cpu", "memory"}) {
      world.fake.set_text("/proc/self/cgroup", group);
      world.fake.set_text("/proc/self/mountinfo", mounts);
      const Folders folders = os::group_folders(controller);
      for (const std::string& folder : folders) {
        REQUIRE(folder.starts_with(folders.back()));
        world.fake.set_text(folder + "/cpu.max", mutated(seeds[4]));
      }
    }
    const auto quota = os::cpu_quota();
    REQUIRE((!quota || (std::isfinite(*quota) && *quota > 0)));
  }
}

TEST_CASE("without /proc a segment is refused by an error that names it, and nothing is left") {
  const auto name = unique_name("segment");
  NoProc no_proc;
  const os::Scoped scoped(no_proc);
  const std::function<void()> makers[] = {
      [&] {
        BatchLoader({{8, 4}, DType::f32, 4}, in_segment(name));
      },
      [&] { SharedObjects::create(name, {.bytes = 128}); },
      [&] { SharedObjects::open_or_create(name, {.bytes = 128}); },
      [&] { BatchRing::create(name, {.slots = 2, .rows = 2, .cols = 2}); },
  };
  for (const auto& make : makers) {
    CHECK(code_of(make) == ENOENT);
    CHECK(test::contains(message_of(make), "/proc is not mounted here"));
    CHECK(test::contains(message_of(make), name));
    CHECK(test::own_files().empty());
  }
  const BatchLoader memory({{8, 4}, DType::f32, 4});  // which needs none
  CHECK(memory.means().size() == 2);
}

TEST_CASE("without /proc a segment of others is listed and not collected, and opening it names /proc") {
  const auto name = unique_name("other");
  const auto objects = SharedObjects::create(name, {.bytes = 128});
  NoProc no_proc;
  const os::Scoped scoped(no_proc);
  const auto list = test::list_own_segments();
  REQUIRE(list.size() == 1);
  CHECK(list[0].held);
  CHECK_FALSE(list[0].attached.has_value());
  CHECK(list[0].owner_state == SegmentOwner::State::unknown);
  CHECK(test::collect_own_segments().empty());
  CHECK(test::contains(message_of([&] { SharedObjects::open(name); }), "/proc is not mounted here"));
  CHECK(test::own_files().size() == 1);
}

TEST_CASE("without /proc nobody knows the size of huge pages, and the error says so") {
  NoProc no_proc;
  const os::Scoped scoped(no_proc);
  LoaderOptions options;
  options.pages = PageKind::hugetlb;
  const std::function<void()> makers[] = {
      [&] {
        BatchLoader({{8, 4}, DType::f32, 4}, options);
      },
      [&] {
        BatchLoader({{8, 4}, DType::f32, 4}, in_segment(unique_name("huge"), PageKind::hugetlb));
      },
      [] { Pages::map(4096, PageKind::hugetlb); },
  };
  for (const auto& make : makers) {
    CHECK(code_of(make) == ENOENT);
    CHECK(test::contains(message_of(make), "/proc/meminfo"));
  }
  CHECK(test::own_files().empty());
}
