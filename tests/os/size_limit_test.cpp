// Goal: memory that is larger than `ulimit -f` allows is an error that names the limit, not the end of the
// process, and leaves nothing behind.
// Method: children with a low limit make one of each kind, with SIGXFSZ as a program finds it.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <string>

#include <nodewise/batch_ring.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/shared_objects.hpp>

#include "support/process.hpp"
#include "support/size_limit.hpp"

using namespace nodewise;

namespace {

namespace fs = std::filesystem;

bool is_left(const std::string& name) {
  for (const auto& entry : fs::directory_iterator("/dev/shm"))
    if (entry.path().string().find(name) != std::string::npos) return true;
  return false;
}

void load_segment(const std::string& name) {
  LoaderOptions options;
  options.segment = SegmentOptions();
  options.segment->name = name;
  const BatchLoader loader({{1024, 256}, DType::f32, 64}, options);
}

}  // namespace

TEST_CASE("each kind of memory with a name, and memory without one") {
  const std::string name = test::unique_name("limit");
  const std::function<void()> kinds[] = {
      [&] { load_segment(name); },
      [&] { load_segment(""); },
      [&] { BatchRing::create(name, {.slots = 64, .rows = 64, .cols = 256}); },
      [&] { BatchRing::create("", {.slots = 64, .rows = 64, .cols = 256}); },
      [&] { SharedObjects::create(name, {.bytes = 1 << 20}); },
  };
  for (const auto& make : kinds) {
    test::Child child([&] { return test::exceeds_size_limit(make); });
    CHECK(child.wait() == 0);
    CHECK_FALSE(is_left(name));
  }
}
