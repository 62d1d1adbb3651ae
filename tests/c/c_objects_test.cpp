// Goal: C shares values, arrays, mutexes, events and barriers with other processes and with C++, and misuse
// is an error. Method: forked children use the same objects; a child is killed while it holds a mutex; stop
// tokens and timeouts end waits.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <thread>

#include <nodewise/dlpack.hpp>
#include <nodewise/shared_objects.hpp>

#include "c/handles.hpp"
#include "owned.hpp"
#include "support/process.hpp"
#include "wrong.hpp"

using namespace nodewise::test;

namespace {

nw_objects memfd() {
  nw_objects objects = nullptr;
  REQUIRE(nw_objects_create("", nullptr, &objects) == NW_OK);
  return objects;
}

nw_barrier_info info_of(nw_barrier barrier) {
  nw_barrier_info info{};
  info.size = sizeof info;
  REQUIRE(nw_barrier_describe(barrier, &info) == NW_OK);
  return info;
}

template <class T>
T loaded(nw_value value, nw_dtype dtype) {
  T number{};
  REQUIRE(nw_value_load(value, dtype, &number) == NW_OK);
  return number;
}

}  // namespace

TEST_CASE("a value of each type is stored, exchanged, compared and added to") {
  Owned<nw_objects> objects(memfd());
  for (nw_dtype dtype = NW_F64; dtype <= NW_U8; ++dtype) {
    CAPTURE(nw_dtype_name(dtype));
    Owned<nw_value> value;
    REQUIRE(nw_objects_value(objects, nw_dtype_name(dtype), dtype, nullptr, value.out()) == NW_OK);
    unsigned char zero[8] = {}, got[8] = {};
    REQUIRE(nw_value_load(value, dtype, got) == NW_OK);
    CHECK(std::memcmp(got, zero, nw_dtype_bytes(dtype)) == 0);
    nw_dtype type = NW_DTYPE_NONE;
    CHECK(nw_value_dtype(value, &type) == NW_OK);
    CHECK(type == dtype);
  }
  Owned<nw_value> value, real;
  const std::int32_t five = 5, seven = 7;
  REQUIRE(nw_objects_value(objects, "n", NW_I32, &five, value.out()) == NW_OK);
  CHECK(loaded<std::int32_t>(value, NW_I32) == 5);
  std::int32_t before = 0, stored = 0, expected = 6;
  REQUIRE(nw_value_exchange(value, NW_I32, &seven, &before) == NW_OK);
  CHECK(before == 5);
  REQUIRE(nw_value_compare_exchange(value, NW_I32, &expected, &five, &stored) == NW_OK);
  CHECK(stored == 0);
  CHECK(expected == 7);
  REQUIRE(nw_value_compare_exchange(value, NW_I32, &expected, &five, &stored) == NW_OK);
  CHECK(stored == 1);
  REQUIRE(nw_value_fetch_add(value, NW_I32, &seven, nullptr) == NW_OK);
  CHECK(loaded<std::int32_t>(value, NW_I32) == 12);
  const std::int32_t most = INT32_MAX;
  REQUIRE(nw_value_store(value, NW_I32, &most) == NW_OK);
  REQUIRE(nw_value_fetch_add(value, NW_I32, &seven, &before) == NW_OK);
  CHECK(before == most);
  CHECK(loaded<std::int32_t>(value, NW_I32) == INT32_MIN + 6);
  const double half = 0.5;
  REQUIRE(nw_objects_value(objects, "x", NW_F64, &half, real.out()) == NW_OK);
  REQUIRE(nw_value_fetch_add(real, NW_F64, &half, nullptr) == NW_OK);
  CHECK(loaded<double>(real, NW_F64) == 1);
  Owned<nw_value> small;
  const nodewise::bfloat16 two(2.0F);
  REQUIRE(nw_objects_value(objects, "y", NW_BF16, &two, small.out()) == NW_OK);
  REQUIRE(nw_value_fetch_add(small, NW_BF16, &two, nullptr) == NW_OK);
  CHECK(loaded<nodewise::bfloat16>(small, NW_BF16) == 4.0F);
}

TEST_CASE("processes count together, in a value and in an array under a mutex") {
  const std::string name = unique_name("c");
  Owned<nw_objects> objects;
  REQUIRE(nw_objects_create(name.c_str(), nullptr, objects.out()) == NW_OK);
  auto children = start(3, [&](int i) {
    nw_objects own = nullptr;
    nw_value value = nullptr;
    nw_array array = nullptr;
    nw_mutex mutex = nullptr;
    void* data = nullptr;
    const std::int64_t one = 1;
    if (nw_objects_open(name.c_str(), 1, &own) != NW_OK ||
        nw_objects_value(own, "n", NW_I64, nullptr, &value) != NW_OK ||
        nw_objects_array(own, "ten", NW_I32, 10, &array) != NW_OK ||
        nw_objects_mutex(own, "m", &mutex) != NW_OK || nw_array_data(array, &data, nullptr, nullptr) != NW_OK)
      return false;
    for (int turn = 0; turn < 200; ++turn) {
      std::int32_t locked = 0;
      if (nw_value_fetch_add(value, NW_I64, &one, nullptr) != NW_OK ||
          nw_mutex_lock(mutex, i == 0 ? -1 : 60, &locked) != NW_OK || locked != 1)
        return false;
      ++static_cast<std::int32_t*>(data)[9];
      if (nw_mutex_unlock(mutex) != NW_OK) return false;
    }
    return true;
  });
  REQUIRE(all_well(children));
  const auto seen = nodewise::SharedObjects::open(name);  // the same objects, in C++
  CHECK(seen.value<std::int64_t>("n").load() == 600);
  CHECK(seen.array<std::int32_t>("ten", 10)[9] == 600);
}

TEST_CASE("objects are opened by descriptor, listed, and removed") {
  Owned<nw_objects> first(memfd());
  std::int32_t descriptor = -1;
  REQUIRE(nw_objects_descriptor(first, &descriptor) == NW_OK);
  REQUIRE(descriptor >= 0);
  Owned<nw_objects> second;
  REQUIRE(nw_objects_open_descriptor(descriptor, second.out()) == NW_OK);
  Owned<nw_array> array;
  Owned<nw_barrier> barrier;
  REQUIRE(nw_objects_array(first, "a", NW_BF16, 7, array.out()) == NW_OK);
  REQUIRE(nw_objects_barrier(second, "b", 3, barrier.out()) == NW_OK);
  std::size_t count = 0;
  REQUIRE(nw_objects_count(second, &count) == NW_OK);
  REQUIRE(count == 2);
  nw_object_info info{};
  info.size = sizeof info;
  REQUIRE(nw_objects_describe(second, 0, &info) == NW_OK);
  CHECK(std::string(info.name) == "a");
  CHECK(info.kind == NW_ARRAY);
  CHECK(info.dtype == NW_BF16);
  CHECK(info.count == 7);
  REQUIRE(nw_objects_describe(second, 1, &info) == NW_OK);
  CHECK(std::string(nw_object_kind_name(info.kind)) == "barrier");
  CHECK(info.dtype == NW_DTYPE_NONE);
  CHECK(info.count == 3);
  const std::string name = unique_name("c");
  Owned<nw_objects> made, opened;
  REQUIRE(nw_objects_open_or_create(name.c_str(), nullptr, made.out()) == NW_OK);
  REQUIRE(nw_objects_open_or_create(name.c_str(), nullptr, opened.out()) == NW_OK);
  char* text = nullptr;
  REQUIRE(nw_objects_name(opened, &text) == NW_OK);
  CHECK(text == name);
  nw_text_free(text);
  REQUIRE(nw_objects_remove(made) == NW_OK);
  nw_objects none = nullptr;
  CHECK(nw_objects_open(name.c_str(), 0, &none) == NW_SYSTEM);
  CHECK(nw_last_errno() == ENOENT);
}

TEST_CASE("an array outlives its handles in a tensor") {
  void* tensor = nullptr;
  {
    Owned<nw_objects> objects(memfd());
    Owned<nw_array> array;
    Owned<nw_pages> pages;
    REQUIRE(nw_objects_array(objects, "a", NW_F64, 6, array.out()) == NW_OK);
    void* data = nullptr;
    std::uint64_t count = 0;
    nw_dtype dtype = NW_DTYPE_NONE;
    REQUIRE(nw_array_data(array, &data, &count, &dtype) == NW_OK);
    CHECK(count == 6);
    CHECK(dtype == NW_F64);
    REQUIRE(nw_array_pages(array, pages.out()) == NW_OK);
    const std::int64_t shape[2] = {2, 3};
    REQUIRE(nw_dlpack_export(pages, data, 2, shape, nullptr, dtype, 0, 1, &tensor) == NW_OK);
  }
  auto& inner = static_cast<nodewise::dlpack::VersionedTensor*>(tensor)->tensor;
  static_cast<double*>(inner.data)[5] = 4;
  CHECK(nw_dlpack_delete(tensor, 1) == NW_OK);
}

TEST_CASE("a mutex whose owner died is an error until it is repaired") {
  Owned<nw_objects> objects(memfd());
  Owned<nw_mutex> mutex;
  REQUIRE(nw_objects_mutex(objects, "m", mutex.out()) == NW_OK);
  const auto die_with_it = [&] {
    const Signal locked;
    Child child([&] {
      std::int32_t held = 0;
      return nw_mutex_lock(mutex, -1, &held) == NW_OK && held == 1 && locked.give_and_stay();
    });
    locked.await();
    std::int32_t held = 1;
    CHECK(nw_mutex_lock(mutex, 0, &held) == NW_OK);
    CHECK(held == 0);
    CHECK(nw_mutex_lock(mutex, 0.01, &held) == NW_OK);
    CHECK(held == 0);
    child.kill();
  };
  std::int32_t held = 0, repaired = 0;
  die_with_it();
  CHECK(nw_mutex_lock(mutex, 0, &held) == NW_OWNER_DIED);
  CHECK(nw_mutex_lock(mutex, -1, &held) == NW_OWNER_DIED);
  static int calls;
  calls = 0;
  const auto repair = [](void* user) -> std::int32_t {
    ++calls;
    return *static_cast<std::int32_t*>(user);
  };
  std::int32_t answer = 8;
  CHECK(nw_mutex_repair(mutex, repair, &answer, &repaired) == NW_FOREIGN);
  CHECK(std::string(nw_last_message()).find("returned 8") != std::string::npos);
  CHECK(nw_mutex_lock(mutex, 0, &held) == NW_OWNER_DIED);
  answer = 0;
  CHECK(nw_mutex_repair(mutex, repair, &answer, &repaired) == NW_OK);
  CHECK(repaired == 1);
  CHECK(calls == 2);
  CHECK(nw_mutex_repair(mutex, repair, &answer, &repaired) == NW_OK);
  CHECK(repaired == 0);
  CHECK(calls == 2);
  die_with_it();
  CHECK(nw_mutex_repair(mutex, nullptr, nullptr, nullptr) == NW_OK);
  CHECK(nw_mutex_lock(mutex, 0, &held) == NW_OK);
  CHECK(held == 1);
  CHECK(nw_mutex_lock(mutex, -1, &held) == NW_SYSTEM);
  CHECK(nw_last_errno() == EDEADLK);
  CHECK(nw_mutex_unlock(mutex) == NW_OK);
}

TEST_CASE("an event wakes a process that waits, and a wait may end without it") {
  Owned<nw_objects> objects(memfd());
  Owned<nw_event> event;
  REQUIRE(nw_objects_event(objects, "e", event.out()) == NW_OK);
  std::int32_t set = 1;
  REQUIRE(nw_event_wait(event, 0, &set) == NW_OK);
  CHECK(set == 0);
  REQUIRE(nw_event_wait(event, 0.01, &set) == NW_OK);
  CHECK(set == 0);
  Child child([&] {
    std::int32_t seen = 0;
    return nw_event_wait(event, -1, &seen) == NW_OK && seen == 1;
  });
  REQUIRE(nw_event_set(event) == NW_OK);
  CHECK(child.wait() == 0);
  REQUIRE(nw_event_is_set(event, &set) == NW_OK);
  CHECK(set == 1);
  REQUIRE(nw_event_clear(event) == NW_OK);
  REQUIRE(nw_event_is_set(event, &set) == NW_OK);
  CHECK(set == 0);
}

TEST_CASE("a barrier lets all on, and a timeout or a stop token breaks it for all") {
  Owned<nw_objects> objects(memfd());
  Owned<nw_barrier> barrier;
  REQUIRE(nw_objects_barrier(objects, "b", 2, barrier.out()) == NW_OK);
  const auto wait_in_child = [&](nw_error error) {
    return std::make_unique<Child>([&barrier, error] {
      std::uint32_t before = 9;
      return nw_barrier_wait(barrier, -1, nullptr, &before) == error && (error != NW_OK || before < 2);
    });
  };
  std::uint32_t before = 9;
  auto child = wait_in_child(NW_OK);
  REQUIRE(nw_barrier_wait(barrier, 60, nullptr, &before) == NW_OK);
  CHECK(before < 2);
  CHECK(child->wait() == 0);
  CHECK(nw_barrier_wait(barrier, 0.01, nullptr, &before) == NW_BROKEN_BARRIER);
  CHECK(info_of(barrier).broken == 1);
  CHECK(nw_barrier_wait(barrier, -1, nullptr, &before) == NW_BROKEN_BARRIER);
  REQUIRE(nw_barrier_reset(barrier) == NW_OK);
  CHECK(info_of(barrier).broken == 0);
  CHECK(info_of(barrier).parties == 2);
  child = wait_in_child(NW_BROKEN_BARRIER);
  while (info_of(barrier).waiting == 0) std::this_thread::yield();
  REQUIRE(nw_barrier_give_up(barrier) == NW_OK);
  CHECK(child->wait() == 0);
}

TEST_CASE("a stop token ends a wait at a barrier, and breaks it for a party that waits too") {
  Owned<nw_objects> objects(memfd());
  Owned<nw_barrier> barrier;
  REQUIRE(nw_objects_barrier(objects, "b", 3, barrier.out()) == NW_OK);
  Child child([&] {
    std::uint32_t before = 9;
    return nw_barrier_wait(barrier, -1, nullptr, &before) == NW_BROKEN_BARRIER;
  });
  static int asked;
  asked = 0;
  // Requested only when both parties wait.
  const auto poll = [](void* user) -> std::int32_t {
    ++asked;
    return info_of(*static_cast<nw_barrier*>(user)).waiting == 2 ? 1 : 0;
  };
  Owned<nw_stop> stop;
  REQUIRE(nw_stop_make_polled(poll, barrier.out(), stop.out()) == NW_OK);
  std::uint32_t before = 9;
  CHECK(nw_barrier_wait(barrier, -1, stop, &before) == NW_STOPPED);
  CHECK(asked > 0);
  CHECK(info_of(barrier).broken == 1);
  CHECK(child.wait() == 0);
  // A token that is never requested changes nothing.
  REQUIRE(nw_barrier_reset(barrier) == NW_OK);
  Owned<nw_stop> never;
  REQUIRE(nw_stop_make(never.out()) == NW_OK);
  CHECK(nw_barrier_wait(barrier, 0.01, never, &before) == NW_BROKEN_BARRIER);
}

TEST_CASE("misuse of objects is an error") {
  Owned<nw_objects> objects(memfd());
  Owned<nw_value> value;
  Owned<nw_mutex> mutex;
  Owned<nw_event> event;
  Owned<nw_barrier> barrier;
  REQUIRE(nw_objects_value(objects, "v", NW_I32, nullptr, value.out()) == NW_OK);
  REQUIRE(nw_objects_mutex(objects, "m", mutex.out()) == NW_OK);
  REQUIRE(nw_objects_event(objects, "e", event.out()) == NW_OK);
  REQUIRE(nw_objects_barrier(objects, "b", 2, barrier.out()) == NW_OK);
  nw_objects none = nullptr;
  nw_value no_value = nullptr;
  nw_array no_array = nullptr;
  nw_barrier no_barrier = nullptr;
  nw_objects_options tiny{};
  tiny.size = sizeof tiny;
  tiny.keep = 3;
  const std::int32_t one = 1;
  std::int32_t flag = 0;
  std::uint32_t before = 0;
  nw_object_info info{};
  info.size = sizeof info;
  const std::string long_name(64, 'x');
  const auto bad = NW_INVALID_ARGUMENT;
  check_all({
      {"no name", [&] { return nw_objects_create(nullptr, nullptr, &none); }, bad, "name"},
      {"bad name", [&] { return nw_objects_create("../x", nullptr, &none); }, bad, "../x"},
      {"keep", [&] { return nw_objects_create("", &tiny, &none); }, bad, "keep"},
      {"not there", [&] { return nw_objects_open("c_test-none", 0, &none); }, NW_SYSTEM, "c_test-none"},
      {"descriptor", [&] { return nw_objects_open_descriptor(-1, &none); }, NW_SYSTEM, ""},
      {"null", [&] { return nw_objects_remove(nullptr); }, bad, "objects is NULL"},
      {"type", [&] { return nw_objects_value(objects, "v", NW_I64, nullptr, &no_value); }, bad, "\"v\""},
      {"kind", [&] { return nw_objects_array(objects, "v", NW_I32, 1, &no_array); }, bad, "\"v\""},
      {"no type", [&] { return nw_objects_array(objects, "w", 0, 1, &no_array); }, bad, "type"},
      {"huge", [&] { return nw_objects_array(objects, "w", NW_F64, UINT64_MAX, &no_array); },
       NW_OUT_OF_MEMORY, ""},
      {"no room", [&] { return nw_objects_array(objects, "w", NW_U8, 2 << 20, &no_array); }, NW_OUT_OF_MEMORY,
       ""},
      {"long name", [&] { return nw_objects_value(objects, long_name.c_str(), NW_I8, nullptr, &no_value); },
       bad, ""},
      {"parties", [&] { return nw_objects_barrier(objects, "c", 0, &no_barrier); }, bad, "part"},
      {"other parties", [&] { return nw_objects_barrier(objects, "b", 3, &no_barrier); }, bad, "\"b\""},
      {"load as f32", [&] { return nw_value_load(value, NW_F32, &flag); }, bad, "i32"},
      {"load nowhere", [&] { return nw_value_load(value, NW_I32, nullptr); }, bad, "out"},
      {"store nothing", [&] { return nw_value_store(value, NW_I32, nullptr); }, bad, "number"},
      {"add as u32", [&] { return nw_value_fetch_add(value, NW_U32, &one, nullptr); }, bad, "u32"},
      {"far", [&] { return nw_objects_describe(objects, 4, &info); }, NW_OUT_OF_RANGE, "4"},
      {"lock", [&] { return nw_mutex_lock(mutex, NAN, &flag); }, bad, "timeout"},
      {"lock nowhere", [&] { return nw_mutex_lock(mutex, -1, nullptr); }, bad, "locked"},
      {"wait", [&] { return nw_event_wait(event, NAN, &flag); }, bad, "timeout"},
      {"barrier", [&] { return nw_barrier_wait(barrier, NAN, nullptr, &before); }, bad, "timeout"},
      {"barrier nowhere", [&] { return nw_barrier_wait(barrier, 0, nullptr, nullptr); }, bad, "out"},
  });
  CHECK(info_of(barrier).waiting == 0);
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
