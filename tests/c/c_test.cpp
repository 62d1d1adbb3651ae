// Goal: the C interface gives what the C++ interface gives.
// Method: loaders, plans, streams and placements are used through <nodewise/c.h> alone, and compared with
// numbers that are known.
#include <doctest/doctest.h>
#include <nodewise/c.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "c/handles.hpp"
#include "owned.hpp"

using namespace nodewise::test;

namespace {

std::string taken(char* text) {
  const std::string copy = text;
  nw_text_free(text);
  return copy;
}

}  // namespace

TEST_CASE("a loader copies rows, gives views of them, and computes their means") {
  const auto loader = copied();
  std::uint64_t batches = 0;
  REQUIRE(nw_loader_num_batches(loader, &batches) == NW_OK);
  REQUIRE(batches == 3);
  nw_view view{};
  REQUIRE(nw_loader_batch(loader, 2, &view) == NW_OK);
  CHECK(view.rows == 2);
  CHECK(view.cols == cols);
  CHECK(view.row_stride == 3);
  CHECK(view.col_stride == 1);
  CHECK(view.dtype == NW_F32);
  CHECK(view.access == NW_READ_WRITE);
  CHECK(static_cast<float*>(view.data)[5] == 29);
  double means[3] = {};
  REQUIRE(nw_loader_means(loader, means, 3) == NW_OK);
  CHECK(means[0] == 5.5);
  CHECK(means[1] == 17.5);
  CHECK(means[2] == 26.5);
  // A write is seen through a view that was made before.
  const double changed = 1.5;
  REQUIRE(nw_loader_write(loader, 8, 0, NW_F64, &changed) == NW_OK);
  CHECK(static_cast<float*>(view.data)[0] == 1.5F);
  std::int32_t shared = 0;
  REQUIRE(nw_loader_is_zero_copy(loader, 2, &shared) == NW_OK);
  CHECK(shared == 1);
  double features[3], variances[3];
  REQUIRE(nw_loader_feature_statistics(loader, 0, features, variances, 3) == NW_OK);
  CHECK(features[1] == 14.5);
}

TEST_CASE("views stay valid as long as an owner of the pages exists") {
  Owned<nw_pages> pages;
  nw_view view{};
  {
    const auto loader = copied();
    REQUIRE(nw_loader_pages(loader, pages.out()) == NW_OK);
    REQUIRE(nw_loader_batch(loader, 0, &view) == NW_OK);
  }
  void* data = nullptr;
  std::size_t bytes = 0;
  nw_access access = NW_READ_ONLY;
  REQUIRE(nw_pages_range(pages, &data, &bytes, &access) == NW_OK);
  CHECK(data == view.data);
  CHECK(bytes >= rows * cols * sizeof(float));
  CHECK(access == NW_READ_WRITE);
  CHECK(static_cast<float*>(view.data)[1] == 1);
}

TEST_CASE("a matrix in any strides is copied") {
  const auto data = numbers();  // as 3 x 10, seen transposed
  constexpr nw_dataset transposed{10, 3, 5, NW_F32, 0};
  Owned<nw_loader> loader;
  REQUIRE(nw_loader_copy_strided(data.data(), &transposed, sizeof(float), 10 * sizeof(float), nullptr,
                                 loader.out()) == NW_OK);
  nw_view view{};
  REQUIRE(nw_loader_batch(loader, 1, &view) == NW_OK);
  CHECK(static_cast<float*>(view.data)[0] == 5);
  CHECK(static_cast<float*>(view.data)[1] == 15);
  CHECK(static_cast<float*>(view.data)[2] == 25);
  // Backwards, from the last row on.
  Owned<nw_loader> reversed;
  REQUIRE(nw_loader_copy_strided(data.data() + 27, &ten_by_three, -12, 4, nullptr, reversed.out()) == NW_OK);
  REQUIRE(nw_loader_batch(reversed, 0, &view) == NW_OK);
  CHECK(static_cast<float*>(view.data)[0] == 27);
  CHECK(static_cast<float*>(view.data)[3] == 24);
}

TEST_CASE("adopted memory is released once, whether or not the call succeeds") {
  static int released;
  static void* released_with;
  const auto release = [](void* user, void* data) {
    ++released;
    released_with = user;
    CHECK(data != nullptr);
  };
  auto data = numbers();
  int user = 0;
  released = 0;
  Owned<nw_pages> pages;
  {
    Owned<nw_loader> loader;
    REQUIRE(nw_loader_adopt(data.data(), &ten_by_three, NW_READ_ONLY, release, &user, nullptr,
                            loader.out()) == NW_OK);
    REQUIRE(nw_loader_pages(loader, pages.out()) == NW_OK);
    nw_view view{};
    REQUIRE(nw_loader_batch(loader, 0, &view) == NW_OK);
    CHECK(view.data == data.data());
    CHECK(view.access == NW_READ_ONLY);
    const float one = 1;
    CHECK(nw_loader_write(loader, 0, 0, NW_F32, &one) == NW_INVALID_ARGUMENT);
  }
  CHECK(released == 0);
  CHECK(nw_free(std::exchange(pages.handle, nullptr)) == NW_OK);
  CHECK(released == 1);
  CHECK(released_with == &user);
  nw_loader none = nullptr;
  CHECK(nw_loader_adopt(reinterpret_cast<char*>(data.data()) + 1, &ten_by_three, NW_READ_WRITE, release,
                        &user, nullptr, &none) == NW_INVALID_ARGUMENT);
  CHECK(released == 2);
  CHECK(nw_loader_adopt(data.data(), &ten_by_three, 7, release, &user, nullptr, &none) ==
        NW_INVALID_ARGUMENT);
  CHECK(released == 3);
}

TEST_CASE("a source of a function is loaded; its error ends the load") {
  const auto fill = [](void* user, std::uint64_t start, std::uint64_t stop, void* to) -> std::int32_t {
    if (*static_cast<int*>(user) != 0) return *static_cast<int*>(user);
    auto* at = static_cast<float*>(to);
    for (std::uint64_t row = start; row < stop; ++row)
      for (std::uint64_t col = 0; col < cols; ++col) *at++ = static_cast<float>(row * cols + col);
    return 0;
  };
  int answer = 0;
  Owned<nw_source> source;
  REQUIRE(nw_source_function(&ten_by_three, fill, &answer, nullptr, source.out()) == NW_OK);
  {
    Owned<nw_loader> loader;
    REQUIRE(nw_loader_load(source, 4, nullptr, loader.out()) == NW_OK);
    double means[3];
    REQUIRE(nw_loader_rounded_means(loader, means, 3) == NW_OK);
    CHECK(means[2] == 26.5);
  }
  answer = 5;
  nw_loader none = nullptr;
  CHECK(nw_loader_load(source, 4, nullptr, &none) == NW_FOREIGN);
  CHECK(std::string(nw_last_message()).find("returned 5") != std::string::npos);
  CHECK(none == nullptr);
}

TEST_CASE("a stop token ends a load, by request or because the caller's function says so") {
  Owned<nw_source> source;
  const auto data = numbers();
  REQUIRE(nw_source_memory(data.data(), &ten_by_three, nullptr, source.out()) == NW_OK);
  nw_loader none = nullptr;
  nw_loader_options options{};
  options.size = sizeof options;
  {
    Owned<nw_stop> stop;
    REQUIRE(nw_stop_make(stop.out()) == NW_OK);
    REQUIRE(nw_stop_request(stop) == NW_OK);
    options.stop = stop;
    CHECK(nw_loader_load(source, 4, &options, &none) == NW_STOPPED);
  }
  static std::thread::id asked_on;
  const auto poll = [](void*) -> std::int32_t {
    asked_on = std::this_thread::get_id();
    return 1;
  };
  Owned<nw_stop> stop;
  REQUIRE(nw_stop_make_polled(poll, nullptr, stop.out()) == NW_OK);
  options.stop = stop;
  CHECK(nw_loader_load(source, 4, &options, &none) == NW_STOPPED);
  CHECK(asked_on == std::this_thread::get_id());
}

TEST_CASE("a stream gives the runs of a loader, and its means are those of the loader") {
  const auto loader = copied();
  Owned<nw_stream> stream;
  REQUIRE(nw_stream_of_loader(loader, stream.out()) == NW_OK);
  std::uint64_t seen = 0;
  for (;;) {
    Owned<nw_lease> lease;
    REQUIRE(nw_stream_next(stream, lease.out()) == NW_OK);
    if (lease.handle == nullptr) break;
    nw_run run{};
    run.size = sizeof run;
    REQUIRE(nw_lease_run(lease, &run) == NW_OK);
    CHECK(static_cast<const float*>(run.data)[0] ==
          static_cast<float>(run.batches.start * batch_size * cols));
    seen += run.batches.stop - run.batches.start;
  }
  CHECK(seen == 3);
  std::int32_t again = 0;
  REQUIRE(nw_stream_rewind(stream, &again) == NW_OK);
  REQUIRE(again == 1);
  Owned<nw_topology> topology;
  REQUIRE(nw_topology_this_machine(topology.out()) == NW_OK);
  Owned<nw_team> team;
  REQUIRE(nw_team_make(topology, nullptr, team.out()) == NW_OK);
  double from_stream[3], from_loader[3];
  REQUIRE(nw_stream_means(stream, team, from_stream, 3) == NW_OK);
  REQUIRE(nw_loader_means(loader, from_loader, 3) == NW_OK);
  CHECK(std::memcmp(from_stream, from_loader, sizeof from_stream) == 0);
}

TEST_CASE("a plan is made for another machine, saved and read") {
  Owned<nw_topology> four;
  REQUIRE(nw_topology_from_synthetic("numa:4 core:2 pu:1", four.out()) == NW_OK);
  std::uint32_t nodes = 0;
  REQUIRE(nw_topology_num_nodes(four, &nodes) == NW_OK);
  REQUIRE(nodes == 4);
  nw_node node{};
  node.size = sizeof node;
  REQUIRE(nw_topology_node(four, 3, &node) == NW_OK);
  CHECK(node.cpus == 2);
  constexpr nw_dataset dataset{1 << 20, 16, 1024, NW_F32, 0};
  Owned<nw_plan> plan, back;
  REQUIRE(nw_plan_make(four, &dataset, nullptr, plan.out()) == NW_OK);
  std::size_t shards = 0, owner = 0;
  REQUIRE(nw_plan_num_shards(plan, &shards) == NW_OK);
  REQUIRE(shards == 4);
  REQUIRE(nw_plan_shard_of(plan, 1023, &owner) == NW_OK);
  CHECK(owner == 3);
  nw_shard shard{};
  shard.size = sizeof shard;
  REQUIRE(nw_plan_shard(plan, 1, &shard) == NW_OK);
  CHECK(shard.batches.start == 256);
  CHECK(shard.batches.stop == 512);
  char* json = nullptr;
  REQUIRE(nw_plan_to_json(plan, &json) == NW_OK);
  REQUIRE(nw_plan_from_json(json, four, back.out()) == NW_OK);
  char* again = nullptr;
  REQUIRE(nw_plan_to_json(back, &again) == NW_OK);
  CHECK(taken(json) == taken(again));
}

TEST_CASE("a placement counts every byte of the dataset") {
  const auto loader = copied();
  Owned<nw_placement> placement;
  REQUIRE(nw_loader_placement(loader, placement.out()) == NW_OK);
  nw_placement_bytes total{};
  total.size = sizeof total;
  REQUIRE(nw_placement_total(placement, &total) == NW_OK);
  CHECK(total.planned_bytes == rows * cols * sizeof(float));
  CHECK(total.planned_bytes == total.local_bytes + total.misplaced_bytes + total.cut_bytes +
                                   total.absent_bytes + total.unknown_bytes + total.on_target_bytes);
  char* text = nullptr;
  REQUIRE(nw_placement_to_json(placement, &text) == NW_OK);
  CHECK(taken(text).find("nodewise.placement/1") != std::string::npos);
  CHECK(nw_placement_require(placement, 2) != NW_OK);
}

TEST_CASE("earlier and later versions of a struct work, if the unknown part is zero") {
  struct Later {
    nw_loader_options known;
    std::uint64_t unknown;
  } later{};
  later.known.size = sizeof later;
  Owned<nw_loader> loader;
  CHECK(nw_loader_make(&ten_by_three, &later.known, loader.out()) == NW_OK);
  later.unknown = 1;
  nw_loader none = nullptr;
  CHECK(nw_loader_make(&ten_by_three, &later.known, &none) == NW_INVALID_ARGUMENT);
  nw_loader_options earlier{};
  earlier.size = offsetof(nw_loader_options, given_weights);
  earlier.workers = 1u << 30;  // behind the end of the struct that the caller knows
  Owned<nw_loader> other;
  CHECK(nw_loader_make(&ten_by_three, &earlier, other.out()) == NW_OK);
  nw_shard shard{};
  shard.size = offsetof(nw_shard, batches);
  shard.cut_bytes = 77;
  Owned<nw_plan> plan;
  REQUIRE(nw_loader_plan(loader, plan.out()) == NW_OK);
  REQUIRE(nw_plan_shard(plan, 0, &shard) == NW_OK);
  CHECK(shard.cut_bytes == 77);
}

TEST_CASE("messages belong to their threads, and calls of many threads do not disturb one another") {
  const auto loader = copied();
  nw_view view{};
  CHECK(nw_loader_batch(loader, 99, &view) == NW_OUT_OF_RANGE);
  const std::string mine = nw_last_message();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int turn = 0; turn < 500; ++turn) {
        nw_stop stop = nullptr;
        nw_view own{};
        if (nw_stop_make(&stop) != NW_OK || nw_loader_batch(loader, 1, &own) != NW_OK ||
            nw_free(stop) != NW_OK || nw_free(stop) != NW_INVALID_ARGUMENT)
          std::terminate();
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(nw_last_message() == mine);
}

TEST_CASE("a forked child uses its parent's handles") {
  const auto loader = copied();
  const pid_t child = fork();
  if (child == 0) {
    double means[3];
    _exit(nw_loader_means(loader, means, 3) == NW_OK && means[0] == 5.5 && nw_free(loader.handle) == NW_OK
              ? 0
              : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  nw_view view{};
  CHECK(nw_loader_batch(loader, 0, &view) == NW_OK);
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
