// Goal: where a file system has no more room, a Manager throws an error that says so, and neither it nor a
// process that only looks is ended by a signal. Method: a real tmpfs of 1 MiB, in a child with mounts of its
// own, which a filler takes up; more looks at a time than the first page of LMDB's lock file has places for;
// and a system that refuses to give pages.
#include <doctest/doctest.h>

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

#include "manager/manager.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/skip.hpp"
#include "support/small_tmpfs.hpp"

using namespace nodewise;
using test::code_of;
using test::contains;
using test::Filler;
using test::Folder;
using test::message_of;
using test::MiB;

namespace {

constexpr int many_looks = 100;

bool can_mount() {
  test::Child probe([] { return test::mount_small_tmpfs("/dev/shm", "1M"); });
  return probe.wait() == 0;
}

// How `work` ends in a process whose /dev/shm has 1 MiB.
int in_small_memory(const std::function<bool()>& work) {
  test::Child child([&] { return test::mount_small_tmpfs("/dev/shm", "1M") && work(); });
  return child.wait();
}

// The most looks that were in progress at the same time and saw the list's only value.
int looks_within_looks(const Manager& manager, int depth) {
  int deepest = 0;
  manager.look([&](const ManagerLook& look) {
    const bool seen = look.list("list").size() == 1;
    deepest = seen && depth > 1 ? 1 + looks_within_looks(manager, depth - 1) : seen ? 1 : 0;
  });
  return deepest;
}

bool names_room(const std::string& message) {
  return contains(message, "/dev/shm") && contains(message, "bytes free of 1 MiB") &&
         contains(message, "--shm-size");
}

}  // namespace

TEST_CASE("looks on a file system that is full") {
  if (!can_mount()) NODEWISE_SKIP("no tmpfs may be mounted here; root and user namespaces may");
  const auto looks = [](const std::function<Manager(const Folder&)>& opened) {
    return in_small_memory([&] {
      const Folder folder;
      Manager::create(folder.path()).list("list").append(1);
      const Manager manager = opened(folder);
      const Filler filler("/dev/shm");
      return filler.full() && looks_within_looks(manager, many_looks) == many_looks;
    });
  };
  SUBCASE("in the process that made it, and in one that opens it") {
    CHECK(looks([](const Folder& folder) { return Manager::open(folder.path()); }) == 0);
  }
  SUBCASE("where an earlier version left a lock file with holes") {
    CHECK(looks([](const Folder& folder) {
            const auto bytes = std::filesystem::file_size(folder.locks());
            std::filesystem::resize_file(folder.locks(), 0);
            std::filesystem::resize_file(folder.locks(), bytes);
            return Manager::open(folder.path());
          }) == 0);
  }
}

TEST_CASE("opening on a file system that is full") {
  if (!can_mount()) NODEWISE_SKIP("no tmpfs may be mounted here; root and user namespaces may");
  CHECK(in_small_memory([] {
          const Folder folder;
          auto filler = std::make_unique<Filler>("/dev/shm");
          const auto make = [&] { Manager::open_or_create(folder.path()); };
          const bool refused = code_of(make) == ENOSPC && names_room(message_of(make));
          filler.reset();
          return refused && Manager::open_or_create(folder.path()).list("list").append(1) == 0;
        }) == 0);
}

TEST_CASE("writing until a file system is full") {
  if (!can_mount()) NODEWISE_SKIP("no tmpfs may be mounted here; root and user namespaces may");
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{5000}, std::size_t{300000}}) {
    CAPTURE(bytes);
    CHECK(in_small_memory([&] {
            const Folder folder;
            const auto manager = Manager::create(folder.path());
            const std::string value(bytes, 'x');
            int written = 0;
            const auto write = [&] {
              while (true) {
                manager.dictionary("d").set(std::to_string(written), value);
                ++written;
              }
            };
            const std::string message = message_of<SystemError>(write);
            return names_room(message) && contains(message, "No space left") && code_of(write) == ENOSPC &&
                   manager.dictionary("d").size() == static_cast<std::uint64_t>(written);
          }) == 0);
  }
}

TEST_CASE("a system that gives no pages for the lock file") {
  // Method: the kernel's answer of a full file system, and another one, which is not translated.
  test::World world(test::even_machine(2));
  for (const auto& [answer, code] : {std::pair{EFAULT, ENOSPC}, std::pair{ENOMEM, ENOMEM}}) {
    const Folder folder;
    world.faulty.refuse(os::Call::populate_shared, answer);
    const auto make = [&] { Manager::create(folder.path()); };
    CHECK(code_of(make) == code);
    CHECK(contains(message_of(make), folder.locks()));
    world.faulty.refuse(os::Call::populate_shared, 0);
    CHECK(world.faulty.live_mappings() == 0);
    CHECK(Manager::create(folder.path()).list("list").append(1) == 0);
  }
}

TEST_CASE("files that others may write to") {
  // Method: each of the three, with each mode that lets another user write.
  const Folder folder;
  Manager::create(folder.path()).list("list").append(1);
  for (const std::string& path : {folder.path(), folder.data(), folder.locks()})
    for (const mode_t others : {020U, 002U, 022U}) {
      CAPTURE(path);
      struct ::stat before {};
      REQUIRE(::stat(path.c_str(), &before) == 0);
      REQUIRE(::chmod(path.c_str(), (before.st_mode & 07777) | others) == 0);
      const auto open = [&] { Manager::open(folder.path()); };
      CHECK(code_of(open) == EPERM);
      const std::string message = message_of(open);
      CHECK(contains(message, "chmod go-w " + path));
      CHECK(contains(message, "user " + std::to_string(::geteuid())));
      CHECK(code_of([&] { Manager::open_or_create(folder.path()); }) == EPERM);
      REQUIRE(::chmod(path.c_str(), before.st_mode & 07777) == 0);
    }
  CHECK(Manager::open(folder.path()).list("list").size() == 1);
}
