// Goal: the real system and the fake one keep the same promises, so that what is tested on the fake holds on
// the real one.
// Method: one suite, run on both; then what only one of them has.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include "support/machines.hpp"
#include "support/own_names.hpp"
#include "support/skip.hpp"

using namespace nodewise;
using os::Advice;
using os::BindMode;

namespace {

struct RealSystem {
  os::Os& os = os::real();
};
struct FakeSystem {
  os::Fake fake{test::even_machine(1)};
  os::Os& os = fake;
};

constexpr std::size_t page = 4096;

int status_of(os::Os& os, std::byte* address) {
  void* pointer = address;
  int status = 12345;
  REQUIRE(os.pages_status({&pointer, 1}, {&status, 1}) == 0);
  return status;
}

}  // namespace

TEST_CASE_TEMPLATE("mapped memory is zero, aligned, absent until populated, and gone after unmapping", System,
                   RealSystem, FakeSystem) {
  System system;
  for (const std::size_t alignment : {page, std::size_t{2} << 20}) {
    const auto mapped = system.os.map(8 * page, alignment, 0);
    REQUIRE(mapped.ok());
    auto* data = static_cast<std::byte*>(mapped.value);
    CHECK(reinterpret_cast<std::uintptr_t>(data) % alignment == 0);
    system.os.advise(data, 8 * page, Advice::no_huge_pages);
    CHECK(system.os.check_mapped(data, 8 * page) == 0);
    CHECK(system.os.check_mapped(data + 10, 20) == 0);
    CHECK(status_of(system.os, data) == -ENOENT);
    CHECK(system.os.populate(data, 4 * page) == 0);
    CHECK(status_of(system.os, data) >= 0);
    CHECK(status_of(system.os, data + 3 * page) >= 0);
    CHECK(status_of(system.os, data + 4 * page) == -ENOENT);  // asking touched nothing
    CHECK(data[0] == std::byte{0});
    data[0] = std::byte{42};
    CHECK(system.os.populate(data, 8 * page) == 0);
    CHECK(data[0] == std::byte{42});
    CHECK(system.os.unmap(data, 8 * page) == 0);
    CHECK(system.os.check_mapped(data, 8 * page) == ENOMEM);
  }
}

TEST_CASE_TEMPLATE("of many untouched pages each is absent, and the one that was touched is found", System,
                   RealSystem, FakeSystem) {
  System system;
  constexpr std::size_t count = 1300;  // more than are asked about at once
  const auto mapped = system.os.map(count * page, page, 0);
  REQUIRE(mapped.ok());
  auto* data = static_cast<std::byte*>(mapped.value);
  system.os.advise(data, count * page, Advice::no_huge_pages);
  std::vector<void*> pages;
  for (std::size_t i = 0; i < count; ++i) pages.push_back(data + i * page);
  const auto present = [&](std::size_t asked) {
    std::vector<int> status(asked, 12345);
    REQUIRE(system.os.pages_status({pages.data(), asked}, status) == 0);
    CHECK(std::all_of(status.begin(), status.end(), [](int one) { return one >= 0 || one == -ENOENT; }));
    return std::count_if(status.begin(), status.end(), [](int one) { return one >= 0; });
  };
  CHECK(present(count) == 0);
  int expected = 0;
  for (const std::size_t touched : {std::size_t{700}, count - 1, std::size_t{0}}) {
    CHECK(system.os.populate(data + touched * page, page) == 0);
    CHECK(present(count) == ++expected);
  }
  CHECK(present(700) == 1);
  CHECK(system.os.unmap(data, count * page) == 0);
}

TEST_CASE_TEMPLATE("a policy is taken for a node that exists, and refused for one that does not", System,
                   RealSystem, FakeSystem) {
  System system;
  const auto mapped = system.os.map(4 * page, page, 0);
  REQUIRE(mapped.ok());
  for (const auto mode : {BindMode::preferred, BindMode::strict}) {
    if (system.os.bind(mapped.value, 4 * page, mode, 0) == EPERM) NODEWISE_SKIP("mbind is refused here");
    CHECK(system.os.bind(mapped.value, 4 * page, mode, 1000) == EINVAL);
  }
  CHECK(system.os.interleave(mapped.value, 4 * page, {0}) == 0);
  CHECK(system.os.populate(mapped.value, 4 * page) == 0);
  system.os.unmap(mapped.value, 4 * page);
}

TEST_CASE_TEMPLATE("a thread is where it put itself", System, RealSystem, FakeSystem) {
  System system;
  const auto before = system.os.affinity();
  REQUIRE(before.ok());
  const unsigned last = before.value.indices().back();
  REQUIRE(system.os.set_affinity({last}) == 0);
  CHECK(system.os.affinity().value == IndexSet{last});
  CHECK(system.os.current_cpu().value == last);
  CHECK(system.os.set_affinity({}) == EINVAL);
  CHECK(system.os.set_affinity(before.value) == 0);
  CHECK(system.os.affinity().value == before.value);
  REQUIRE(system.os.set_affinity({last}) == 0);
  CHECK(system.os.unlimit_affinity() == 0);
  CHECK((system.os.affinity().value & before.value) == before.value);  // and all else that the cpuset has
  CHECK(system.os.set_affinity(before.value) == 0);
}

TEST_CASE_TEMPLATE("the mask of the process is that of its initial thread", System, RealSystem) {
  System system;
  const auto process = system.os.affinity_of_process();
  REQUIRE(process.ok());
  CHECK(process.value == system.os.affinity().value);
  std::thread([&] {
    REQUIRE(system.os.set_affinity({*process.value.first()}) == 0);
    CHECK(system.os.affinity_of_process().value == process.value);
  }).join();
}

TEST_CASE("a module that cannot be loaded is named, with the loader's reason") {
  const auto none = os::real().open_module("nodewise/no-such-module.so", "table");
  CHECK(none.error == ELIBACC);
  CHECK(none.value.address == nullptr);
  CHECK(none.value.why.find("no-such-module.so") != std::string::npos);
}

TEST_CASE_TEMPLATE("files", System, RealSystem, FakeSystem) {
  System system;
  const auto path = test::temporary_path("file");
  REQUIRE(system.os.write_text(path, "first") == 0);
  REQUIRE(system.os.write_text(path, "0123456789") == 0);
  CHECK(system.os.read_text(path).value == "0123456789");
  const auto file = system.os.open_file(path);
  REQUIRE(file.ok());
  CHECK(system.os.file_bytes(file.value).value == 10);
  char text[16] = {};
  CHECK(system.os.read_at(file.value, text, 4, 3).value == 4);
  CHECK(std::strcmp(text, "3456") == 0);
  CHECK(system.os.read_at(file.value, text, 16, 8).value == 2);
  CHECK(system.os.read_at(file.value, text, 16, 10).value == 0);
  CHECK(system.os.close_file(file.value) == 0);
  std::remove(path.c_str());
  CHECK(system.os.open_file(path).error == ENOENT);
  CHECK(system.os.read_text(path).error == ENOENT);
  CHECK(system.os.write_text(path + "/below", "x") != 0);
}

TEST_CASE_TEMPLATE("a file in memory: made once, mapped twice, the same bytes and pages in both", System,
                   RealSystem, FakeSystem) {
  System system;
  const std::string path = "/dev/shm/" + test::unique_name("os");
  const auto made = system.os.create_shared(path);
  REQUIRE(made.ok());
  CHECK(system.os.create_shared(path).error == EEXIST);
  CHECK(system.os.resize_file(made.value, 8 * page) == 0);
  CHECK(system.os.seal_size(made.value) != 0);  // of memfds only
  const auto opened = system.os.open_shared(path, false);
  REQUIRE(opened.ok());
  CHECK(system.os.file_status(made.value).value.same_file(system.os.path_status(path).value));
  CHECK(system.os.file_status(made.value).value.bytes == 8 * page);
  CHECK(system.os.file_status(made.value).value.links == 1);
  CHECK(system.os.file_status(made.value).value.uid == system.os.user_id());
  CHECK(system.os.space("/dev/shm").value.kind == os::FileSystem::memory);
  const auto writer = system.os.map_shared(made.value, page, 4 * page, page, true);
  const auto reader = system.os.map_shared(opened.value, page, 4 * page, std::size_t{2} << 20, false);
  REQUIRE(writer.ok());
  REQUIRE(reader.ok());
  CHECK(reinterpret_cast<std::uintptr_t>(reader.value) % (std::size_t{2} << 20) == 0);
  auto* const written = static_cast<std::byte*>(writer.value);
  auto* const read = static_cast<std::byte*>(reader.value);
  CHECK(status_of(system.os, read + page) == -ENOENT);
  CHECK(system.os.populate_shared(made.value, 2 * page, written + page, page) == 0);
  CHECK(status_of(system.os, read + page) >= 0);  // though only the other mapping touched it
  CHECK(status_of(system.os, read + 2 * page) == -ENOENT);
  written[page] = std::byte{42};
  CHECK(read[page] == std::byte{42});
  CHECK(system.os.unmap(written, 4 * page) == 0);
  CHECK(system.os.unmap(read, 4 * page) == 0);
  CHECK(system.os.remove_file(path) == 0);
  CHECK(system.os.file_status(opened.value).value.links == 0);
  CHECK(system.os.open_shared(path, true).error == ENOENT);
  CHECK(system.os.close_file(opened.value) == 0);
  CHECK(system.os.close_file(made.value) == 0);
}

TEST_CASE_TEMPLATE("of many pages that only another mapping touched each is found", System, RealSystem,
                   FakeSystem) {
  System system;
  constexpr std::size_t count = 1300;
  const auto made = system.os.create_memfd("os_test", 0);
  REQUIRE(made.ok());
  REQUIRE(system.os.resize_file(made.value, count * page) == 0);
  CHECK_FALSE(system.os.is_size_sealed(made.value));
  CHECK(system.os.seal_size(made.value) == 0);
  CHECK(system.os.is_size_sealed(made.value));
  CHECK(system.os.resize_file(made.value, page) == EPERM);
  const auto writer = system.os.map_shared(made.value, 0, count * page, page, true);
  const auto reader = system.os.map_shared(made.value, 0, count * page, page, false);
  auto* const read = static_cast<std::byte*>(reader.value);
  std::vector<void*> pages;
  for (std::size_t i = 0; i < count; ++i) pages.push_back(read + i * page);
  const auto present = [&] {
    std::vector<int> status(count, 12345);
    REQUIRE(system.os.pages_status(pages, status) == 0);
    return std::count_if(status.begin(), status.end(), [](int one) { return one >= 0; });
  };
  CHECK(present() == 0);
  auto* const written = static_cast<std::byte*>(writer.value);
  CHECK(system.os.populate_shared(made.value, 700 * page, written + 700 * page, 20 * page) == 0);
  CHECK(present() == 20);
  CHECK(system.os.populate_shared(made.value, 0, written, count * page) == 0);
  CHECK(present() == count);
  system.os.unmap(writer.value, count * page);
  system.os.unmap(reader.value, count * page);
  system.os.close_file(made.value);
}

TEST_CASE_TEMPLATE("locks of bytes hold between openings, and end with them", System, RealSystem,
                   FakeSystem) {
  System system;
  using os::Lock;
  const std::string path = "/dev/shm/" + test::unique_name("os");
  const auto one = system.os.create_shared(path);
  const auto other = system.os.open_shared(path, true);
  REQUIRE(other.ok());
  CHECK_FALSE(system.os.is_byte_locked(one.value, 7).value);
  CHECK(system.os.lock_byte(one.value, 7, Lock::shared, false) == 0);
  CHECK_FALSE(system.os.is_byte_locked(one.value, 7).value);  // one's own does not count
  CHECK(system.os.is_byte_locked(other.value, 7).value);
  CHECK_FALSE(system.os.is_byte_locked(other.value, 8).value);
  CHECK(system.os.lock_byte(other.value, 7, Lock::shared, false) == 0);
  CHECK(system.os.lock_byte(other.value, 7, Lock::exclusive, false) == EAGAIN);
  CHECK(system.os.unlock_byte(one.value, 7) == 0);
  CHECK(system.os.lock_byte(other.value, 7, Lock::exclusive, true) == 0);
  CHECK(system.os.lock_byte(one.value, 7, Lock::shared, false) == EAGAIN);
  const auto copy = system.os.duplicate(other.value);
  CHECK(system.os.close_file(other.value) == 0);
  CHECK(system.os.is_byte_locked(one.value, 7).value);  // another descriptor of that opening is left
  CHECK(system.os.close_file(copy.value) == 0);
  CHECK_FALSE(system.os.is_byte_locked(one.value, 7).value);
  system.os.close_file(one.value);
  CHECK(system.os.remove_file(path) == 0);
}

TEST_CASE("reading ends: a file without an end and a pipe without a writer are errors") {
  RealSystem system;
  CHECK(system.os.read_text("/dev/zero").error == EOVERFLOW);
  const auto pipe = test::temporary_path("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(system.os.read_text(pipe).error == ETIMEDOUT);
  CHECK(system.os.write_text(pipe, "nobody reads") == ENXIO);
  std::remove(pipe.c_str());
}

TEST_CASE("a file that is replaced keeps its mode, one with two names stays one file, and no draft is left") {
  RealSystem system;
  const auto folder = test::temporary_path("folder"), path = folder + "/file", other = folder + "/other";
  REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
  REQUIRE(system.os.write_text(path, "first") == 0);
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  CHECK(system.os.write_text(path, "second") == 0);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  REQUIRE(::link(path.c_str(), other.c_str()) == 0);
  CHECK(system.os.write_text(path, "third") == 0);
  CHECK(system.os.read_text(other).value == "third");
  const auto names = std::filesystem::directory_iterator(folder);
  CHECK(std::distance(begin(names), end(names)) == 2);
  for (const auto& name : {path, other}) std::remove(name.c_str());
  ::rmdir(folder.c_str());
}

TEST_CASE("no file gets the number of a standard stream that was closed") {
  RealSystem system;
  const int kept = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
  ::close(STDIN_FILENO);
  const auto file = system.os.open_file("/proc/self/status");
  const auto memory = system.os.create_memfd("os_test", 0);
  const auto copy = system.os.duplicate(file.value);
  for (const auto& made : {file, memory, copy}) {
    CHECK(made.ok());
    CHECK(made.value > STDERR_FILENO);
    system.os.close_file(made.value);
  }
  CHECK(::fcntl(STDIN_FILENO, F_GETFD) == -1);
  if (kept >= 0) ::dup2(kept, STDIN_FILENO), ::close(kept);
}

TEST_CASE("a link stays a link, and what it leads to is written") {
  RealSystem system;
  const auto path = test::temporary_path("target"), link = test::temporary_path("link");
  REQUIRE(system.os.write_text(path, "first") == 0);
  REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
  CHECK(system.os.write_text(link, "second") == 0);
  CHECK(system.os.read_text(path).value == "second");
  char target[256] = {};
  CHECK(::readlink(link.c_str(), target, sizeof target - 1) == static_cast<ssize_t>(path.size()));
  std::remove(link.c_str());
  std::remove(path.c_str());
}

TEST_CASE_TEMPLATE("a machine has nodes, allowed ones, and a name", System, RealSystem, FakeSystem) {
  System system;
  const auto machine = system.os.this_machine();
  REQUIRE(machine.ok());
  CHECK_FALSE(machine.value.nodes.empty());
  CHECK(system.os.host_name().ok());
  const auto allowed = system.os.allowed_nodes();
  if (allowed.error == EPERM) NODEWISE_SKIP("get_mempolicy is refused here");
  CHECK(allowed.value.contains(machine.value.nodes.front().os_index));
}

TEST_CASE("the fake spills from a full node as a preferred policy does, and kills under a strict one") {
  auto data = test::even_machine(2);
  data.nodes[0].free_bytes = page;
  os::Fake fake(data);
  auto* memory = static_cast<std::byte*>(fake.map(4 * page, page, 0).value);
  fake.bind(memory, 4 * page, BindMode::preferred, 0);
  CHECK(fake.populate(memory, 2 * page) == 0);
  CHECK(status_of(fake, memory) == 0);
  CHECK(status_of(fake, memory + page) == 1);
  CHECK_FALSE(fake.killed());
  fake.bind(memory, 4 * page, BindMode::strict, 0);
  CHECK(fake.populate(memory, 4 * page) == ENOMEM);
  CHECK(fake.killed());
  fake.unmap(memory, 4 * page);
}

TEST_CASE("a fault comes once, at its turn; a refusal stays") {
  os::Fake fake(test::even_machine(1));
  os::Faulty faulty(fake);
  faulty.fail(os::Call::host_name, 2, EIO);
  CHECK(faulty.host_name().ok());
  CHECK(faulty.host_name().error == EIO);
  CHECK(faulty.host_name().ok());
  faulty.refuse(os::Call::host_name, EPERM);
  CHECK(faulty.host_name().error == EPERM);
  CHECK(faulty.host_name().error == EPERM);
  CHECK(faulty.calls(os::Call::host_name) == 5);
}
