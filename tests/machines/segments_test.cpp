// Goal: on a real kernel with several nodes, a segment's pages lie by its plan, whichever process touched
// them first, and a process that had no part in it can see so; a ring's slots lie where they should; a
// /dev/shm that is too small is an error and no signal. Method: one process makes, another asks the kernel;
// the small /dev/shm is mounted for a child alone.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include <nodewise/batch_ring.hpp>
#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "machines/nodes.hpp"
#include "support/machines.hpp"
#include "support/process.hpp"

using namespace nodewise;
using test::Child;
using test::MiB;
using test::unique_name;

namespace {

BatchLoader make(const std::string& name, PageKind pages = PageKind::base) {
  LoaderOptions options;
  options.segment = SegmentOptions{.name = name};
  options.binding = Binding::required;
  options.pages = pages;
  return BatchLoader({{16384, 128}, DType::f32, 64}, options);
}

bool lies_as_planned(const Placement& placement) {
  const auto total = placement.total();
  return placement.asking_rung() == AskingRung::move_pages && placement.shards().size() > 1 &&
         total.local_bytes + total.cut_bytes == total.planned_bytes;
}

}  // namespace

TEST_CASE("a segment's pages lie where its plan says, as another process confirms") {
  NEEDS_TWO_NODES();
  const auto name = unique_name("placed");
  Child other([&] {
    for (int tries = 0; tries < 5000; ++tries) try {
        return lies_as_planned(BatchLoader::open(name).placement());
      } catch (const SystemError& error) {
        if (error.code() != ENOENT) throw;
        ::usleep(2000);
      }
    return false;
  });
  const auto loader = make(name);
  CHECK(other.wait() == 0);
  CHECK(lies_as_planned(loader.placement()));
}

TEST_CASE("the pages of a ring lie on its node, even if another process touches them first") {
  NEEDS_TWO_NODES();
  const auto topology = Topology::this_machine();
  const std::size_t bytes = 4 * MiB;
  const auto ring_node = static_cast<unsigned>(topology.nodes().size() - 1);
  const auto ring = BatchRing::create(
      "", {.slots = 8, .rows = bytes / 8 / 4 / 64, .cols = 64, .dtype = DType::f32, .node = ring_node});
  CHECK(ring.degradations().empty());
  Child other([&] {
    const auto mine = BatchRing::open_descriptor(ring.descriptor());
    auto producer = mine.producer();
    for (int slot = 0; slot < 8; ++slot) {
      auto loan = producer.loan();
      std::memset(loan->view().data(), slot, loan->view().size_bytes());
      std::move(*loan).publish(mine.rows());
    }
    const auto where = residency(topology, mine.pages().data(), mine.pages().size_bytes());
    return where.bytes_on_node[ring_node] == mine.pages().size_bytes();
  });
  CHECK(other.wait() == 0);
}

TEST_CASE("if /dev/shm is too small, an error says so, and the process continues") {
  Child small([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=1M") != 0)
      throw std::runtime_error("no small /dev/shm can be mounted here");
    const auto message = [&](const char* name) -> std::string {
      try {
        make(name);
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    const bool refused = message("large").find("docker --shm-size") != std::string::npos;
    LoaderOptions options;
    options.segment = SegmentOptions{.name = "fits"};
    const BatchLoader fits({{1000, 16}, DType::f32, 64}, options);
    return refused && fits.segment().has_value() && message("large").find("1 MiB") != std::string::npos;
  });
  CHECK(small.wait() == 0);
}

TEST_CASE("if a file system fills up while pages are populated, an error is thrown, and no file is left") {
  Child filling([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=1M") != 0)
      throw std::runtime_error("no small /dev/shm can be mounted here");
    test::World world(test::even_machine(2));  // that says there is room
    world.fake.set_space("/dev/shm", {os::FileSystem::memory, 100 * MiB, 100 * MiB, 4096});
    try {
      make("large");
    } catch (const SystemError& error) {
      return error.code() == EFAULT && list_segments().empty();
    }
    return false;
  });
  CHECK(filling.wait() == 0);
}
