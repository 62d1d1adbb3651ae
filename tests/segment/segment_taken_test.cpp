// Goal: the error about a name that is taken says by what, and gives no advice that fails. Method: each thing
// that can have the name of a segment's file, and each state of its maker.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <nodewise/segment.hpp>
#include <nodewise/shared_objects.hpp>

#include "segment/names.hpp"
#include "support/errors.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::Child;
using test::code_of;
using test::contains;
using test::message_of;
using test::Signal;
using test::unique_name;

namespace {

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

// What making a segment of that name says, which must leave the name alone.
std::string refusal(const std::string& name) {
  const auto make = [&] { SharedObjects::create(name); };
  const std::string message = message_of<SystemError>(make);
  CHECK(code_of(make) == EEXIST);
  CHECK(std::filesystem::exists(std::filesystem::symlink_status(path_of(name))));
  CHECK(contains(message, '"' + name + '"'));
  CHECK(contains(message, path_of(name)));
  return message;
}

}  // namespace

TEST_CASE("a name that something else has") {
  const auto name = unique_name("other");
  const std::string path = path_of(name);
  std::string what = "a link, pipe or device that is no segment";
  SUBCASE("a directory") {
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
    what = "a directory that is no segment";
  }
  SUBCASE("a link") {
    REQUIRE(::symlink("nowhere", path.c_str()) == 0);
  }
  SUBCASE("a pipe") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  const std::string message = refusal(name);
  CHECK(contains(message, what));
  CHECK(contains(message, "(rm"));
  CHECK_FALSE(contains(message, "nodewise segments"));
  std::filesystem::remove(path);
}

TEST_CASE("a name that another user's file has") {
  test::World world(test::even_machine(1));
  world.fake.become_user(::geteuid() + 1000);
  const auto name = unique_name("foreign");
  std::ofstream(path_of(name)) << std::string(8192, 'x');
  const std::string message = refusal(name);
  CHECK(contains(message, "a file that belongs to user " + std::to_string(::geteuid())));
  CHECK_FALSE(contains(message, "nodewise segments"));
  std::filesystem::remove(path_of(name));
}

TEST_CASE("a name that a segment has") {
  const auto name = unique_name("taken");
  SUBCASE("whose maker runs") {
    const auto objects = SharedObjects::create(name);
    const std::string message = refusal(name);
    CHECK(contains(message, "process " + std::to_string(::getpid()) + ", which runs"));
    CHECK(contains(message, "nodewise segments remove " + name));
  }
  SUBCASE("whose maker is dead, and which another process has open") {
    Signal made;
    Child maker([&] {
      const auto objects = SharedObjects::create(name);
      return made.give_and_stay();
    });
    made.await();
    const Segment held = Segment::open(name);
    const pid_t pid = maker.pid();
    maker.kill();
    const std::string message = refusal(name);
    CHECK(contains(message, "process " + std::to_string(pid) + ", is dead"));
    CHECK(contains(message, "`nodewise segments gc` removes it when"));
    held.remove();
  }
  SUBCASE("that is damaged") {
    const auto objects = SharedObjects::create(name);
    std::fstream file(path_of(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8);
    file << "damaged!";
    file.close();
    CHECK(contains(refusal(name), "a damaged segment"));
  }
}
