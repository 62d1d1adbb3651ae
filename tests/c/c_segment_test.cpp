// Goal: C opens, describes, lists and removes segments as C++ does, and misuse is an error.
// Method: a loader makes a segment with a name, or a memfd; other handles, and a forked child, open it.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>

#include "c/handles.hpp"
#include "owned.hpp"
#include "support/process.hpp"
#include "wrong.hpp"

using namespace nodewise::test;

namespace {

// A loader over numbers() in a segment.
nw_loader shared_loader(const std::string& name, std::int32_t keep = 0, std::int32_t later = 0) {
  nw_loader_options options{};
  options.size = sizeof options;
  options.segment = name.c_str();
  options.keep = keep;
  options.publish_later = later;
  nw_loader loader = nullptr;
  const auto data = numbers();
  REQUIRE(nw_loader_copy(data.data(), &ten_by_three, &options, &loader) == NW_OK);
  return loader;
}

nw_segment_info info_of(nw_segment segment) {
  nw_segment_info info{};
  info.size = sizeof info;
  REQUIRE(nw_segment_describe(segment, &info) == NW_OK);
  return info;
}

// The entry of a segment in a list. Its texts point into the list.
bool find(nw_segment_list list, const std::string& name, nw_segment_info& info) {
  std::size_t count = 0;
  REQUIRE(nw_segment_list_count(list, &count) == NW_OK);
  for (std::size_t i = 0; i < count; ++i) {
    info = {};
    info.size = sizeof info;
    REQUIRE(nw_segment_list_describe(list, i, &info) == NW_OK);
    if (name == info.name) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a segment is opened by its name, described, and used as a loader") {
  const std::string name = unique_name("c");
  Owned<nw_loader> maker(shared_loader(name));
  Owned<nw_segment> segment;
  REQUIRE(nw_segment_open(name.c_str(), NW_READ_WRITE, -1, segment.out()) == NW_OK);
  const nw_segment_info info = info_of(segment);
  CHECK(info.name == name);
  CHECK(std::string(info.path).find(name) != std::string::npos);
  CHECK(std::string(info.fault).empty());
  CHECK(info.kind == NW_SEGMENT_DATASET);
  CHECK(std::string(nw_segment_kind_name(info.kind)) == "dataset");
  CHECK(info.pid == static_cast<std::uint32_t>(::getpid()));
  CHECK(info.owner == NW_OWNER_ALIVE);
  CHECK(info.access == NW_READ_WRITE);
  CHECK(info.kept == 0);
  CHECK(info.layout == NW_ROWS);
  CHECK(info.descriptor == -1);
  CHECK(info.data_bytes >= 120);
  CHECK(std::memcmp(&info.dataset, &ten_by_three, sizeof info.dataset) == 0);
  CHECK(info.created > 1.6e9);
  std::uint64_t batches = 0;
  REQUIRE(nw_segment_num_batches(segment, &batches) == NW_OK);
  CHECK(batches == 3);
  // What is written through a view of the segment is seen by a loader over it, and by its maker.
  nw_view view{};
  REQUIRE(nw_segment_batch(segment, 0, &view) == NW_OK);
  static_cast<float*>(view.data)[0] = 12;
  Owned<nw_loader> loader;
  REQUIRE(nw_segment_loader(segment, nullptr, loader.out()) == NW_OK);
  double means[3];
  REQUIRE(nw_loader_means(loader, means, 3) == NW_OK);
  CHECK(means[0] == 6.5);
  REQUIRE(nw_loader_means(maker, means, 3) == NW_OK);
  CHECK(means[0] == 6.5);
  char* plan = nullptr;
  REQUIRE(nw_segment_plan_json(segment, &plan) == NW_OK);
  CHECK(std::string(plan).find("nodewise.plan/1") != std::string::npos);
  nw_text_free(plan);
}

TEST_CASE("another process reads a segment and a memfd") {
  const std::string name = unique_name("c");
  Owned<nw_loader> named(shared_loader(name)), memfd(shared_loader(""));
  Owned<nw_segment> of_memfd;
  REQUIRE(nw_loader_segment(memfd, of_memfd.out()) == NW_OK);
  const int descriptor = info_of(of_memfd).descriptor;
  CHECK(descriptor >= 0);
  Child child([&] {
    nw_segment first = nullptr, second = nullptr;
    nw_view view{};
    return nw_segment_open(name.c_str(), NW_READ_ONLY, 1, &first) == NW_OK &&
           nw_segment_batch(first, 1, &view) == NW_OK && view.access == NW_READ_ONLY &&
           static_cast<float*>(view.data)[0] == 12 &&
           nw_segment_open_descriptor(descriptor, NW_READ_ONLY, &second) == NW_OK &&
           nw_segment_batch(second, 2, &view) == NW_OK && static_cast<float*>(view.data)[5] == 29;
  });
  CHECK(child.wait() == 0);
}

TEST_CASE("pages keep views valid after the segment is freed") {
  const std::string name = unique_name("c");
  Owned<nw_pages> pages;
  nw_view view{};
  {
    Owned<nw_loader> maker(shared_loader(name));
    Owned<nw_segment> segment;
    REQUIRE(nw_segment_open(name.c_str(), NW_READ_ONLY, 0, segment.out()) == NW_OK);
    REQUIRE(nw_segment_pages(segment, pages.out()) == NW_OK);
    REQUIRE(nw_segment_batch(segment, 2, &view) == NW_OK);
  }
  CHECK(static_cast<float*>(view.data)[5] == 29);
}

TEST_CASE("lists show segments, and collecting removes those that are kept and old enough") {
  const std::string name = unique_name("c");
  nw_segment_info info{};
  {
    Owned<nw_loader> maker(shared_loader(name, 1));
    Owned<nw_segment_list> list;
    REQUIRE(nw_segment_list_all(list.out()) == NW_OK);
    REQUIRE(find(list, name, info));
    CHECK(info.kept == 1);
    CHECK(info.held == 1);
    CHECK(info.published == 1);
    CHECK(info.file_bytes > 120);
    CHECK(info.dataset.samples == rows);
  }
  nw_collect_options options{};
  options.size = sizeof options;
  options.dry_run = 1;
  Owned<nw_segment_list> not_kept, dry;
  REQUIRE(nw_segment_collect(&options, not_kept.out()) == NW_OK);
  CHECK_FALSE(find(not_kept, name, info));
  options.kept = 1;
  REQUIRE(nw_segment_collect(&options, dry.out()) == NW_OK);
  CHECK(find(dry, name, info));
  // Removed by its name alone, since collecting would remove segments of other programs, too.
  Owned<nw_segment> segment;
  REQUIRE(nw_segment_open(name.c_str(), NW_READ_ONLY, 0, segment.out()) == NW_OK);
  REQUIRE(nw_segment_remove(segment) == NW_OK);
  nw_segment none = nullptr;
  CHECK(nw_segment_open(name.c_str(), NW_READ_ONLY, 0, &none) == NW_SYSTEM);
  CHECK(nw_last_errno() == ENOENT);
}

TEST_CASE("patience ends while another process is still making the segment") {
  const std::string name = unique_name("c");
  const Signal made, done;
  Child maker([&] {
    nw_loader_options options{};
    options.size = sizeof options;
    options.segment = name.c_str();
    options.publish_later = 1;
    nw_loader loader = nullptr;
    const bool well = nw_loader_make(&ten_by_three, &options, &loader) == NW_OK;
    made.give();
    done.await();
    return well && nw_free(loader) == NW_OK;  // a child that ends runs no destructors
  });
  made.await();
  nw_segment none = nullptr;
  CHECK(nw_segment_open(name.c_str(), NW_READ_ONLY, 0.01, &none) == NW_SYSTEM);
  CHECK(nw_last_errno() == ETIMEDOUT);
  done.give();
  CHECK(maker.wait() == 0);
}

TEST_CASE("misuse of segments is an error") {
  const std::string name = unique_name("c");
  Owned<nw_loader> maker(shared_loader(name));
  Owned<nw_segment> segment;
  Owned<nw_segment_list> list;
  REQUIRE(nw_segment_open(name.c_str(), NW_READ_ONLY, -1, segment.out()) == NW_OK);
  REQUIRE(nw_segment_list_all(list.out()) == NW_OK);
  nw_segment none = nullptr;
  nw_segment_list no_list = nullptr;
  nw_view view{};
  nw_segment_info info{}, sized{};
  sized.size = sizeof sized;
  nw_collect_options wrong{}, negative{};
  wrong.size = negative.size = sizeof wrong;
  wrong.older_than = 1;
  negative.kept = 1, negative.older_than = -1;
  check_all({
      {"no name", [&] { return nw_segment_open(nullptr, 0, 0, &none); }, NW_INVALID_ARGUMENT, "name"},
      {"bad name", [&] { return nw_segment_open("a/b", 0, 0, &none); }, NW_INVALID_ARGUMENT, "a/b"},
      {"access", [&] { return nw_segment_open("a", 2, 0, &none); }, NW_INVALID_ARGUMENT, "access"},
      {"no time", [&] { return nw_segment_open("a", 0, NAN, &none); }, NW_INVALID_ARGUMENT, "patience"},
      {"no room", [&] { return nw_segment_open("a", 0, 0, nullptr); }, NW_INVALID_ARGUMENT, "out"},
      {"descriptor", [&] { return nw_segment_open_descriptor(-1, 0, &none); }, NW_SYSTEM, ""},
      {"batch", [&] { return nw_segment_batch(segment, 3, &view); }, NW_OUT_OF_RANGE, "3"},
      {"size", [&] { return nw_segment_describe(segment, &info); }, NW_INVALID_ARGUMENT, "size"},
      {"null", [&] { return nw_segment_describe(nullptr, &sized); }, NW_INVALID_ARGUMENT, "segment"},
      {"far", [&] { return nw_segment_list_describe(list, 1u << 30, &sized); }, NW_OUT_OF_RANGE, "segment"},
      {"age", [&] { return nw_segment_collect(&wrong, &no_list); }, NW_INVALID_ARGUMENT, "older_than"},
      {"age -1", [&] { return nw_segment_collect(&negative, &no_list); }, NW_INVALID_ARGUMENT, "negative"},
  });
  CHECK(std::string(nw_segment_kind_name(3)).empty());
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
