// Goal: LMDB sees only files that it may believe; what cannot be had is refused by an error that says why,
// and leaves nothing behind. Method: files that are cut, patched, swapped or made by others; every system
// call of opening failed in its turn.
#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "manager/file.hpp"
#include "manager/lmdb.hpp"
#include "manager/manager.hpp"
#include "manager/value.hpp"
#include "support/files.hpp"
#include "support/machines.hpp"
#include "support/sanitizers.hpp"
#include "support/size_limit.hpp"
#include "support/skip.hpp"

using namespace nodewise;
using test::code_of;
using test::contains;
using test::Folder;
using test::message_of;
using test::MiB;
using test::number;
using test::World;

namespace {

// One with something in it, closed.
void make(const Folder& folder) {
  const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
  for (int i = 0; i < 100; ++i) manager.dictionary("d").set(std::to_string(i), std::string(2000, 'x'));
}

template <class Number>
void patch(const std::string& path, std::streamoff at, Number value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file.write(reinterpret_cast<const char*>(&value), sizeof value);
}

// What opening says, by the exception that it must be.
template <class Exception>
std::string refusal(const Folder& folder) {
  return message_of<Exception>([&] { Manager::open(folder.path()); });
}

int code_of_open(const std::string& path) {
  return code_of([&] { Manager::open(path); });
}

}  // namespace

TEST_CASE("what is no Manager") {
  // Method: paths at which there is nothing, another thing, or another program's database.
  const Folder folder;
  CHECK(code_of_open(folder.path()) == ENOENT);
  CHECK(code_of([&] { Manager::create(folder.path() + "/a/b"); }) == ENOENT);
  CHECK(code_of_open("/dev/null") == ENOTDIR);
  CHECK(code_of([] { Manager::open_or_create("/dev/null"); }) == ENOTDIR);

  REQUIRE(::mkdir(folder.path().c_str(), 0700) == 0);
  CHECK(code_of_open(folder.path()) == ENOENT);
  std::ofstream(folder.path() + "/results.csv") << "1,2";
  CHECK(contains(message_of<InvalidArgument>([&] { Manager::create(folder.path()); }),
                 "holds \"results.csv\""));
  CHECK_FALSE(std::filesystem::exists(folder.data()));
  std::filesystem::remove(folder.path() + "/results.csv");

  {
    const lmdb::Environment other(folder.path(), MiB);
    lmdb::Transaction transaction(other);
    REQUIRE(transaction.begin(lmdb::Mode::write) == 0);
    transaction.put("key", "value");
    transaction.commit();
  }
  CHECK(contains(refusal<FormatError>(folder), "another program made it"));
  std::filesystem::resize_file(folder.data(), MiB);
  CHECK(contains(refusal<FormatError>(folder), "holds a database of LMDB that is no Manager"));
  CHECK_THROWS_AS(Manager::open_or_create(folder.path()), FormatError);
}

TEST_CASE("a Manager of the future") {
  // Method: the record of its format, as a later version might write it.
  const Folder folder;
  make(folder);
  {
    const lmdb::Environment environment(folder.path(), 0);
    lmdb::Transaction transaction(environment);
    REQUIRE(transaction.begin(lmdb::Mode::write) == 0);
    std::string record = "nodewise.manager";
    for (const unsigned word : {2U, 1U, 0U}) managed::put_little(record, word);
    transaction.put("F", record);
    transaction.commit();
  }
  CHECK(contains(refusal<FormatError>(folder), "version 2 of the format, this library knows 1"));
}

TEST_CASE("a truncated file") {
  // Goal: never read beyond its end. Method: every length that something ends at, and one byte less.
  const Folder folder;
  make(folder);
  const auto whole = std::filesystem::file_size(folder.data());
  for (const std::uintmax_t bytes : {whole - 1, whole / 2, std::uintmax_t{8192}, std::uintmax_t{8191},
                                     std::uintmax_t{4096}, std::uintmax_t{152}, std::uintmax_t{1}}) {
    CAPTURE(bytes);
    std::filesystem::resize_file(folder.data(), bytes);
    CHECK(contains(refusal<FormatError>(folder), std::to_string(bytes) + " bytes"));
    CHECK_THROWS_AS(Manager::open_or_create(folder.path()), FormatError);
  }
}

TEST_CASE("a file that its maker did not finish") {
  // Goal: it is not opened, and made anew. Method: what LMDB leaves at each step of making one.
  const Folder folder;
  REQUIRE(::mkdir(folder.path().c_str(), 0700) == 0);
  { const lmdb::Environment fresh(folder.path(), MiB); }
  for (const unsigned bytes : {8192U, 4096U, 0U}) {
    std::filesystem::resize_file(folder.data(), bytes);
    CHECK(contains(refusal<SystemError>(folder), "never finished"));
    const Folder copy;
    std::filesystem::copy(folder.path(), copy.path());
    CHECK(Manager::create(copy.path()).list("list").append(1) == 0);
    CHECK(Manager::open(copy.path()).list("list").size() == 1);
  }
}

TEST_CASE("a damaged beginning") {
  // Method: one number of LMDB's first page after another; bytes drawn at random; and another file's.
  const Folder folder;
  make(folder);
  const std::string sound = test::text_of(folder.data());
  const auto refused_with = [&](const std::string& piece) {
    const bool refused = contains(refusal<FormatError>(folder), piece);
    std::ofstream(folder.data(), std::ios::binary) << sound;
    return refused;
  };
  patch(folder.data(), 16, std::uint32_t{0});
  CHECK(refused_with("is no file of LMDB"));
  patch(folder.data(), 4096 + 10, std::uint16_t{0});
  CHECK(refused_with("is no file of LMDB"));
  patch(folder.data(), 20, std::uint32_t{2});
  CHECK(refused_with("version 2 of LMDB's format, this library reads 1"));
  patch(folder.data(), 40, std::uint32_t{4095});
  CHECK(refused_with("pages of 4095 bytes"));
  patch(folder.data(), 4096 + 40, std::uint32_t{8192});
  CHECK(refused_with("two sizes"));
  for (const std::streamoff page : {0, 4096}) {
    patch(folder.data(), page + 136, std::uint64_t{1} << 40);  // the last page
    CHECK(refused_with("is damaged"));
    patch(folder.data(), page + 128, std::uint64_t{1} << 40);  // the first of the tree
    CHECK(refused_with("is damaged"));
    patch(folder.data(), page + 32, std::uint64_t{4096});  // the size
    CHECK(refused_with("is damaged"));
  }
  CHECK(Manager::open(folder.path()).dictionary("d").size() == 100);

  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    std::string pages = sound.substr(0, random() % 9000);
    for (unsigned flips = random() % 4; flips > 0 && !pages.empty(); --flips)
      pages[random() % std::min<std::size_t>(pages.size(), 200)] = static_cast<char>(random());
    try {
      const auto meta = managed::parse_meta(pages, sound.size(), "file");
      CHECK(meta.map_bytes <= sound.size());
    } catch (const FormatError&) {
    }
  }
}

TEST_CASE("pages that were wiped") {
  // Goal: an exception where LMDB would end the process. Method: all pages behind the first two become zeros.
  const Folder folder;
  make(folder);
  {
    std::fstream file(folder.data(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2 * 4096);
    file << std::string(MiB - 3 * 4096, '\0');
  }
  CHECK_THROWS_AS(Manager::open(folder.path()), FormatError);
}

TEST_CASE("damaged values") {
  // Goal: an error, nothing read beyond its end. Method: every beginning of every kind of value, and others'
  // bytes.
  const std::vector<double> doubles = {1, 2};
  const std::vector<ManagedValue> values = {{},  true,   number(7),
                                            1.5, "text", ManagedArray::of(std::span(doubles))};
  for (const auto& value : values) {
    const std::string bytes = managed::encode(value);
    CHECK(managed::decode(bytes) == value);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      if (bytes[0] == 's' && length > 0) continue;  // text may have any length
      CHECK_THROWS_AS(managed::decode(bytes.substr(0, length)), FormatError);
    }
  }
  CHECK_THROWS_AS(managed::decode("?"), FormatError);
  CHECK_THROWS_AS(managed::decode(std::string("a\3f99\0", 6)), FormatError);
}

TEST_CASE("whose files they are") {
  // Method: another user, links, a file system of several machines.
  World world(test::even_machine(2));
  const Folder folder;
  make(folder);
  world.fake.become_user(::geteuid() + 1);
  CHECK(contains(refusal<SystemError>(folder), "belongs to user"));
  world.fake.become_user(::geteuid());
  world.fake.set_space(folder.path(), {.network = true});
  CHECK(contains(refusal<SystemError>(folder), "other machines may use"));
  world.fake.set_space(folder.path(), {});

  const std::string elsewhere = folder.path() + ".elsewhere";
  for (const std::string& file : {folder.data(), folder.locks()}) {
    std::filesystem::rename(file, elsewhere);
    std::filesystem::create_symlink(elsewhere, file);
    CHECK_FALSE(refusal<SystemError>(folder).empty());
    CHECK_THROWS_AS(Manager::open_or_create(folder.path()), SystemError);
    std::filesystem::rename(elsewhere, file);
  }
  CHECK(Manager::open(folder.path()).dictionary("d").size() == 100);
}

TEST_CASE("a directory that was replaced") {
  // Goal: who has it open keeps what he has; a forked child does not get another one in its place.
  const Folder folder;
  const auto manager = Manager::create(folder.path());
  manager.list("list").append(1);
  std::filesystem::remove_all(folder.path());
  const auto another = Manager::create(folder.path());
  manager.list("list").append(2);
  CHECK(manager.list("list").size() == 2);
  CHECK(another.list("list").size() == 0);
  test::Child child([&] {
    return code_of([&] { manager.list("list").size(); }) == ESTALE && another.list("list").append(1) == 0;
  });
  CHECK(child.wait() == 0);
}

TEST_CASE("every system call that opening makes fails") {
  // Goal: an error, no descriptor left, and it works the next time. Method: each kind of call, each time it
  // occurs, while one is made, closed and opened again.
  World world(test::even_machine(2));
  const auto life = [](const Folder& folder) {
    Manager::create(folder.path(), {.max_bytes = MiB}).list("list").append(1);
    const auto manager = Manager::open_or_create(folder.path(), {.max_bytes = 2 * MiB});
    return manager.list("list").size() == 1;
  };
  int failures = 0;
  for (unsigned kind = 0; kind < os::call_kinds; ++kind) {
    const auto call = static_cast<os::Call>(kind);
    CAPTURE(os::to_string(call));
    const auto before = world.faulty.calls(call);
    CHECK(life(Folder()));
    const auto occurring = world.faulty.calls(call) - before;
    if (call == os::Call::close_file || call == os::Call::unmap) continue;  // both only give back
    for (std::uint64_t nth = 1; nth <= occurring; ++nth) {
      CAPTURE(nth);
      const Folder folder;
      world.faulty.fail(call, nth, EIO);
      CHECK(code_of([&] { life(folder); }) == EIO);
      ++failures;
      CHECK(world.faulty.live_descriptors() == 0);
      CHECK(Manager::open_or_create(folder.path()).list("list").append(2) <= 1);
    }
  }
  CHECK(failures > 15);
}

TEST_CASE("growing that fails while others have it open") {
  // Goal: what is written afterwards is not taken for truncated. Method: lengthening the file fails once.
  World world(test::even_machine(2));
  const Folder folder;
  {
    const auto manager = Manager::create(folder.path(), {.max_bytes = MiB});
    world.faulty.fail(os::Call::resize_file, 1, EFBIG);
    CHECK(code_of([&] { Manager::open(folder.path(), {.max_bytes = 64 * MiB}); }) == EFBIG);
    manager.list("list").append(1);
  }
  {
    const auto manager = Manager::open(folder.path());
    CHECK(manager.list("list").size() == 1);
    CHECK(manager.max_bytes() == MiB);
  }
}

TEST_CASE("growing without address space to grow into") {
  // Goal: every later call is refused, and nothing ends the process; others go on. Method: a child whose
  // address space is limited.
#if defined(NODEWISE_SANITIZED)
  NODEWISE_SKIP("sanitizers need all of the address space; the ordinary build runs this");
#endif
  const Folder folder;
  Manager::create(folder.path(), {.max_bytes = MiB}).list("list").append(1);
  test::Child child([&] {
    const auto manager = Manager::open(folder.path());
    const rlimit limit{std::size_t{16} << 30, std::size_t{16} << 30};
    if (::setrlimit(RLIMIT_AS, &limit) != 0) return false;
    const int grown = code_of([&] { Manager::open(folder.path(), {.max_bytes = std::uint64_t{64} << 30}); });
    return grown == ENOMEM && code_of([&] { manager.list("list").append(2); }) == EIO &&
           code_of([&] { manager.list("list").size(); }) == EIO;
  });
  CHECK(child.wait() == 0);
  CHECK(Manager::open(folder.path()).list("list").append(3) == 1);
}

TEST_CASE("a limit on the size of files is an error that names it, and what it left is no obstacle") {
  const test::Folder folder;
  const auto make = [&] { Manager::open_or_create(folder.path()); };
  test::Child maker([&] { return test::exceeds_size_limit(make); });
  CHECK(maker.wait() == 0);
  const Manager manager = Manager::open_or_create(folder.path());
  manager.dictionary("d").set("key", std::int64_t{1});
  test::Child writer([&] {
    const std::string too_long(200 << 10, 'x');
    return test::exceeds_size_limit([&] { manager.dictionary("d").set("long", too_long); });
  });
  CHECK(writer.wait() == 0);
  CHECK(test::as_number(*manager.dictionary("d").get("key")) == 1);
}
