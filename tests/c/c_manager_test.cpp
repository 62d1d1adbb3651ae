// Goal: C keeps values in lists and dictionaries of a Manager, in transactions, and misuse is an error.
// Method: values of every kind go in and out; changes are applied or given up; a forked child writes.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "c/handles.hpp"
#include "manager/manager.hpp"
#include "owned.hpp"
#include "wrong.hpp"

using namespace nodewise::test;

namespace {

nw_managed_value empty() {
  nw_managed_value value{};
  value.size = sizeof value;
  return value;
}
nw_managed_value integer(std::int64_t number) {
  nw_managed_value value = empty();
  value.kind = NW_INTEGER;
  value.integer = number;
  return value;
}
nw_managed_value text(const std::string& bytes) {
  nw_managed_value value = empty();
  value.kind = NW_BYTES;
  value.data = bytes.data();
  value.bytes = bytes.size();
  return value;
}

// The value at `index`. Its pointers are valid until `values` is freed.
nw_managed_value at(nw_managed values, std::size_t index) {
  nw_managed_value value = empty();
  REQUIRE(nw_managed_get(values, index, &value) == NW_OK);
  return value;
}

std::size_t count_of(nw_managed values) {
  std::size_t count = 0;
  REQUIRE(nw_managed_count(values, &count) == NW_OK);
  return count;
}

std::string key_at(nw_managed values, std::size_t index) {
  const char* key = nullptr;
  std::size_t bytes = 0;
  REQUIRE(nw_managed_key(values, index, &key, &bytes) == NW_OK);
  return {key, bytes};
}

std::uint64_t size_of(nw_managed_list list) {
  std::uint64_t size = 0;
  REQUIRE(nw_managed_list_size(list, &size) == NW_OK);
  return size;
}

// A manager with a list and a dictionary.
struct Kept {
  Folder folder;
  Owned<nw_manager> manager;
  Owned<nw_managed_list> list;
  Owned<nw_managed_dict> dict;
  Kept() {
    REQUIRE(nw_manager_open_or_create(folder.path().c_str(), 4 << 20, manager.out()) == NW_OK);
    REQUIRE(nw_manager_list(manager, "list", list.out()) == NW_OK);
    REQUIRE(nw_manager_dict(manager, "dict", dict.out()) == NW_OK);
  }
};

// Appends `number` to the list "list", in a transaction; returns `answer`.
struct Append {
  std::int64_t number;
  std::int32_t answer;
  nw_error error = NW_OK;
  nw_managed_list kept = nullptr;
};
std::int32_t append(void* user, nw_transaction transaction) {
  auto& how = *static_cast<Append*>(user);
  if (nw_transaction_list(transaction, "list", &how.kept) != NW_OK) return -1;
  const nw_managed_value value = integer(how.number);
  how.error = nw_managed_list_append(how.kept, &value, 1, nullptr);
  return how.answer;
}

}  // namespace

TEST_CASE("values of every kind go into a list and come out") {
  const Kept kept;
  const float numbers[6] = {1, 2, 3, 4, 5, 6};
  const std::uint64_t shape[2] = {2, 3};
  std::vector<nw_managed_value> values(6, empty());
  values[1].kind = NW_BOOLEAN, values[1].integer = 1;
  values[2] = integer(-7);
  values[3].kind = NW_REAL, values[3].real = 0.5;
  const std::string bytes("a\0b", 3);
  values[4] = text(bytes);
  values[5].kind = NW_ELEMENTS, values[5].dtype = NW_F32, values[5].data = numbers;
  values[5].bytes = sizeof numbers, values[5].shape = shape, values[5].ndim = 2;
  std::uint64_t index = 9;
  REQUIRE(nw_managed_list_append(kept.list, values.data(), 6, &index) == NW_OK);
  CHECK(index == 0);
  CHECK(size_of(kept.list) == 6);
  Owned<nw_managed> all;
  REQUIRE(nw_managed_list_values(kept.list, all.out()) == NW_OK);
  REQUIRE(count_of(all) == 6);
  CHECK(at(all, 0).kind == NW_NOTHING);
  CHECK(at(all, 1).kind == NW_BOOLEAN);
  CHECK(at(all, 1).integer == 1);
  CHECK(at(all, 2).integer == -7);
  CHECK(at(all, 3).real == 0.5);
  CHECK(std::string(static_cast<const char*>(at(all, 4).data), at(all, 4).bytes) == bytes);
  const nw_managed_value array = at(all, 5);
  CHECK(array.kind == NW_ELEMENTS);
  CHECK(array.dtype == NW_F32);
  REQUIRE(array.ndim == 2);
  CHECK(array.shape[1] == 3);
  REQUIRE(array.bytes == sizeof numbers);
  CHECK(std::memcmp(array.data, numbers, sizeof numbers) == 0);
}

TEST_CASE("lists are changed at both ends and in the middle") {
  const Kept kept;
  std::vector<nw_managed_value> values{integer(0), integer(1), integer(2), integer(3)};
  REQUIRE(nw_managed_list_append(kept.list, values.data(), 4, nullptr) == NW_OK);
  Owned<nw_managed> last, first, middle, none;
  REQUIRE(nw_managed_list_pop_back(kept.list, last.out()) == NW_OK);
  CHECK(at(last, 0).integer == 3);
  REQUIRE(nw_managed_list_pop_front(kept.list, first.out()) == NW_OK);
  CHECK(at(first, 0).integer == 0);
  const nw_managed_value nine = integer(9);
  REQUIRE(nw_managed_list_set(kept.list, 1, &nine) == NW_OK);
  REQUIRE(nw_managed_list_erase(kept.list, 0) == NW_OK);
  REQUIRE(nw_managed_list_get(kept.list, 0, middle.out()) == NW_OK);
  CHECK(at(middle, 0).integer == 9);
  REQUIRE(nw_managed_list_clear(kept.list) == NW_OK);
  REQUIRE(nw_managed_list_pop_back(kept.list, none.out()) == NW_OK);
  CHECK(none.handle == nullptr);
}

TEST_CASE("dictionaries keep values by keys, in the order of the keys") {
  const Kept kept;
  const nw_managed_value one = integer(1), two = integer(2);
  REQUIRE(nw_managed_dict_set(kept.dict, "b", 1, &two) == NW_OK);
  REQUIRE(nw_managed_dict_set(kept.dict, "a\0x", 3, &one) == NW_OK);
  std::uint64_t size = 0;
  REQUIRE(nw_managed_dict_size(kept.dict, &size) == NW_OK);
  CHECK(size == 2);
  Owned<nw_managed> keys, items, found, none;
  REQUIRE(nw_managed_dict_keys(kept.dict, keys.out()) == NW_OK);
  CHECK(key_at(keys, 0) == std::string("a\0x", 3));
  CHECK(key_at(keys, 1) == "b");
  REQUIRE(nw_managed_dict_items(kept.dict, items.out()) == NW_OK);
  CHECK(at(items, 1).integer == 2);
  REQUIRE(nw_managed_dict_get(kept.dict, "b", 1, found.out()) == NW_OK);
  CHECK(at(found, 0).integer == 2);
  std::int32_t erased = 0;
  REQUIRE(nw_managed_dict_erase(kept.dict, "b", 1, &erased) == NW_OK);
  CHECK(erased == 1);
  REQUIRE(nw_managed_dict_erase(kept.dict, "b", 1, &erased) == NW_OK);
  CHECK(erased == 0);
  REQUIRE(nw_managed_dict_get(kept.dict, "b", 1, none.out()) == NW_OK);
  CHECK(none.handle == nullptr);
  REQUIRE(nw_managed_dict_clear(kept.dict) == NW_OK);
  Owned<nw_managed> names;
  REQUIRE(nw_manager_names(kept.manager, names.out()) == NW_OK);
  std::int32_t removed = 0;
  REQUIRE(nw_manager_remove(kept.manager, "dict", &removed) == NW_OK);
  CHECK(removed == static_cast<std::int32_t>(count_of(names)));
  CHECK(nw_manager_remove(kept.manager, "nothing", nullptr) == NW_OK);
}

TEST_CASE("another process sees a change, which is applied as a whole or not at all") {
  const Kept kept;
  Child child([&] {
    nw_manager own = nullptr;
    Append how{5, 0};
    return nw_manager_open(kept.folder.path().c_str(), 0, &own) == NW_OK &&
           nw_manager_change(own, append, &how) == NW_OK && how.error == NW_OK;
  });
  REQUIRE(child.wait() == 0);
  CHECK(size_of(kept.list) == 1);
  Append given_up{6, 4};
  CHECK(nw_manager_change(kept.manager, append, &given_up) == NW_FOREIGN);
  CHECK(std::string(nw_last_message()).find("returned 4") != std::string::npos);
  CHECK(given_up.error == NW_OK);
  CHECK(size_of(kept.list) == 1);
  // The handle of a change that has ended is an error.
  const nw_managed_value value = integer(1);
  CHECK(nw_managed_list_append(given_up.kept, &value, 1, nullptr) == NW_INVALID_ARGUMENT);
  CHECK(nw_free(given_up.kept) == NW_OK);
}

TEST_CASE("a look only reads, and the error of a call inside is that of the look") {
  const Kept kept;
  Append how{5, 1};
  CHECK(nw_manager_look(kept.manager, append, &how) == NW_INVALID_ARGUMENT);
  CHECK(std::string(nw_last_message()).find("a look only reads") != std::string::npos);
  CHECK(nw_free(how.kept) == NW_OK);
  how = {5, 0};
  REQUIRE(nw_manager_change(kept.manager, append, &how) == NW_OK);
  CHECK(nw_free(how.kept) == NW_OK);
  static nw_transaction ended;
  const auto look = [](void*, nw_transaction transaction) -> std::int32_t {
    ended = transaction;
    Owned<nw_managed_list> list;
    Owned<nw_managed> names;
    std::int32_t removed = 0;
    return nw_transaction_list(transaction, "list", list.out()) == NW_OK && size_of(list) == 1 &&
                   nw_transaction_names(transaction, names.out()) == NW_OK && key_at(names, 0) == "list" &&
                   nw_transaction_remove(transaction, "list", &removed) == NW_INVALID_ARGUMENT
               ? 0
               : 1;
  };
  CHECK(nw_manager_look(kept.manager, look, nullptr) == NW_OK);
  nw_managed_dict none = nullptr;
  CHECK(nw_transaction_dict(ended, "x", &none) == NW_INVALID_ARGUMENT);
}

TEST_CASE("a change that fills the directory fails as the call inside did") {
  const Kept kept;
  const auto fill = [](void*, nw_transaction transaction) -> std::int32_t {
    const std::string much(1 << 20, 'x');
    const nw_managed_value value = text(much);
    Owned<nw_managed_list> list;
    if (nw_transaction_list(transaction, "list", list.out()) != NW_OK) return 1;
    for (int i = 0; i < 8; ++i)
      if (nw_managed_list_append(list, &value, 1, nullptr) != NW_OK) return 2;
    return 0;
  };
  CHECK(nw_manager_change(kept.manager, fill, nullptr) == NW_OUT_OF_MEMORY);
  CHECK(size_of(kept.list) == 0);
}

TEST_CASE("managers are created, opened, and say where they are") {
  const Folder folder;
  nw_manager none = nullptr;
  CHECK(nw_manager_open(folder.path().c_str(), 0, &none) == NW_SYSTEM);
  CHECK(nw_last_errno() == ENOENT);
  Owned<nw_manager> manager;
  REQUIRE(nw_manager_create(folder.path().c_str(), 2 << 20, manager.out()) == NW_OK);
  CHECK(nw_manager_create(folder.path().c_str(), 0, &none) == NW_SYSTEM);
  CHECK(nw_last_errno() == EEXIST);
  char* directory = nullptr;
  REQUIRE(nw_manager_directory(manager, &directory) == NW_OK);
  CHECK(directory == folder.path());
  nw_text_free(directory);
  std::uint64_t most = 0;
  REQUIRE(nw_manager_max_bytes(manager, &most) == NW_OK);
  CHECK(most == 2 << 20);
}

TEST_CASE("misuse of managers is an error") {
  const Kept kept;
  nw_managed_list no_list = nullptr;
  nw_managed none = nullptr;
  nw_managed_value value = empty(), kind = empty(), array = empty(), unsized = empty();
  kind.kind = 6;
  array.kind = NW_ELEMENTS, array.dtype = NW_F64, array.bytes = 8, array.data = &value, array.ndim = -1;
  unsized.size = 0;
  REQUIRE(nw_managed_list_append(kept.list, &value, 1, nullptr) == NW_OK);
  Owned<nw_managed> all;
  REQUIRE(nw_managed_list_values(kept.list, all.out()) == NW_OK);
  const std::string long_key(501, 'k');
  const auto bad = NW_INVALID_ARGUMENT;
  check_all({
      {"no directory", [&] { return nw_manager_open(nullptr, 0, nullptr); }, bad, "out"},
      {"no name", [&] { return nw_manager_list(kept.manager, nullptr, &no_list); }, bad, "name"},
      {"name", [&] { return nw_manager_list(kept.manager, "", &no_list); }, bad, "name"},
      {"kind", [&] { return nw_managed_list_append(kept.list, &kind, 1, nullptr); }, bad, "kind 6"},
      {"size", [&] { return nw_managed_list_append(kept.list, &unsized, 1, nullptr); }, bad, "size"},
      {"values", [&] { return nw_managed_list_append(kept.list, nullptr, 1, nullptr); }, bad, "values"},
      {"ndim", [&] { return nw_managed_list_set(kept.list, 0, &array); }, bad, "ndim"},
      {"value", [&] { return nw_managed_list_set(kept.list, 0, nullptr); }, bad, "value"},
      {"index", [&] { return nw_managed_list_set(kept.list, 1, &value); }, NW_OUT_OF_RANGE, "1"},
      {"far", [&] { return nw_managed_list_get(kept.list, 5, &none); }, NW_OUT_OF_RANGE, "5"},
      {"entry", [&] { return nw_managed_get(all, 1, &value); }, NW_OUT_OF_RANGE, "1"},
      {"key", [&] { return nw_managed_dict_set(kept.dict, nullptr, 3, &value); }, bad, "key"},
      {"long key", [&] { return nw_managed_dict_set(kept.dict, long_key.data(), 501, &value); }, bad, "500"},
      {"no body", [&] { return nw_manager_change(kept.manager, nullptr, nullptr); }, bad, "body"},
      {"null", [&] { return nw_managed_list_clear(nullptr); }, bad, "managed list is NULL"},
  });
  // The name of a list is that of no dictionary.
  Owned<nw_managed_dict> other;
  REQUIRE(nw_manager_dict(kept.manager, "list", other.out()) == NW_OK);
  CHECK(nw_managed_dict_set(other, "a", 1, &value) == bad);
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
