// Goal: the C interface answers every misuse by an error that says what is wrong, and never by a crash.
// Method: tables of wrong calls, each with its error and a part of the message.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "owned.hpp"
#include "wrong.hpp"

using namespace nodewise::test;

namespace {

// Makes a loader that must not come to be.
nw_error made(const nw_dataset& dataset, const nw_loader_options* options) {
  nw_loader none = nullptr;
  const nw_error error = nw_loader_make(&dataset, options, &none);
  CHECK(none == nullptr);
  return error;
}

template <class Set>
nw_error made_with(Set set) {
  nw_loader_options options{};
  options.size = sizeof options;
  set(options);
  return made(ten_by_three, &options);
}

}  // namespace

TEST_CASE("a handle that was freed, that is of another kind or none, is an error") {
  const auto loader = copied();
  Owned<nw_topology> topology;
  REQUIRE(nw_topology_this_machine(topology.out()) == NW_OK);
  nw_loader freed = nullptr;
  REQUIRE(nw_loader_make(&ten_by_three, nullptr, &freed) == NW_OK);
  REQUIRE(nw_free(freed) == NW_OK);
  nw_view view{};
  std::uint64_t count = 0;
  const auto wrong_kind = reinterpret_cast<nw_loader>(topology.handle);
  check_all({
      {"freed", [&] { return nw_loader_num_batches(freed, &count); }, NW_INVALID_ARGUMENT, "was freed"},
      {"freed twice", [&] { return nw_free(freed); }, NW_INVALID_ARGUMENT, "freed before"},
      {"null", [&] { return nw_loader_num_batches(nullptr, &count); }, NW_INVALID_ARGUMENT, "is NULL"},
      {"an address", [&] { return nw_free(&view); }, NW_INVALID_ARGUMENT, "no handle"},
      {"another kind", [&] { return nw_loader_num_batches(wrong_kind, &count); }, NW_INVALID_ARGUMENT,
       "needs a handle of a loader"},
      {"no room", [&] { return nw_loader_num_batches(loader, nullptr); }, NW_INVALID_ARGUMENT, "`out`"},
  });
}

TEST_CASE("indices and values that do not fit are errors") {
  const auto loader = copied();
  nw_view view{};
  double means[3];
  const float one = 1;
  const double tenth = 0.1;
  constexpr auto minus_one = static_cast<std::uint64_t>(-1);
  check_all({
      {"batch 3", [&] { return nw_loader_batch(loader, 3, &view); }, NW_OUT_OF_RANGE, "3"},
      {"batch -1", [&] { return nw_loader_batch(loader, minus_one, &view); }, NW_OUT_OF_RANGE, ""},
      {"row 10", [&] { return nw_loader_write(loader, 10, 0, NW_F32, &one); }, NW_OUT_OF_RANGE, ""},
      {"column 3", [&] { return nw_loader_write(loader, 0, 3, NW_F32, &one); }, NW_OUT_OF_RANGE, ""},
      {"0.1", [&] { return nw_loader_write(loader, 0, 0, NW_F64, &tenth); }, NW_INVALID_ARGUMENT, "0.1"},
      {"no type", [&] { return nw_loader_write(loader, 0, 0, 13, &one); }, NW_INVALID_ARGUMENT, "13"},
      {"no value", [&] { return nw_loader_write(loader, 0, 0, NW_F32, nullptr); }, NW_INVALID_ARGUMENT,
       "value"},
      {"room for 2", [&] { return nw_loader_means(loader, means, 2); }, NW_INVALID_ARGUMENT, "room for 2"},
      {"nowhere", [&] { return nw_loader_means(loader, nullptr, 3); }, NW_INVALID_ARGUMENT, "means"},
  });
}

TEST_CASE("datasets and files that cannot be are errors") {
  nw_loader none = nullptr;
  nw_source no_source = nullptr;
  nw_topology no_topology = nullptr;
  constexpr std::uint64_t huge = std::uint64_t{1} << 62;
  check_all({
      {"no features",
       [] {
         return made({10, 0, 4, NW_F32, 0}, nullptr);
       },
       NW_INVALID_ARGUMENT, "at least one feature"},
      {"batch size 0",
       [] {
         return made({10, 3, 0, NW_F32, 0}, nullptr);
       },
       NW_INVALID_ARGUMENT, "at least one sample"},
      {"type 0",
       [] {
         return made({10, 3, 4, NW_DTYPE_NONE, 0}, nullptr);
       },
       NW_INVALID_ARGUMENT, "type"},
      {"overflow",
       [] {
         return made({huge, 16, 4, NW_F64, 0}, nullptr);
       },
       NW_INVALID_ARGUMENT, ""},
      {"reserved",
       [] {
         return made({10, 3, 4, NW_F32, 1}, nullptr);
       },
       NW_INVALID_ARGUMENT, "reserved"},
      {"null", [&] { return nw_loader_make(nullptr, nullptr, &none); }, NW_INVALID_ARGUMENT, "dataset"},
      {"no data", [&] { return nw_loader_copy(nullptr, &ten_by_three, nullptr, &none); }, NW_INVALID_ARGUMENT,
       "data"},
      {"no segment", [&] { return nw_loader_open("c_test-none", NW_READ_ONLY, nullptr, &none); }, NW_SYSTEM,
       "c_test-none"},
      {"no file", [&] { return nw_source_open("/nowhere.npy", nullptr, &no_source); }, NW_SYSTEM,
       "/nowhere.npy"},
      {"no text", [&] { return nw_topology_from_synthetic("numa:x", &no_topology); }, NW_FORMAT, ""},
  });
  CHECK(nw_loader_open("c_test-none", NW_READ_ONLY, nullptr, &none) == NW_SYSTEM);
  CHECK(nw_last_errno() == ENOENT);
  CHECK(std::string(nw_error_name(NW_SYSTEM)) == "system");
  CHECK(std::string(nw_error_name(99)).empty());
}

TEST_CASE("options without a meaning are errors") {
  static const std::uint32_t nowhere = 4000;
  check_all({
      {"size", [] { return made_with([](auto& to) { to.size = 0; }); }, NW_INVALID_ARGUMENT, "size"},
      {"policy", [] { return made_with([](auto& to) { to.policy = 9; }); }, NW_INVALID_ARGUMENT, "policy"},
      {"binding", [] { return made_with([](auto& to) { to.binding = -1; }); }, NW_INVALID_ARGUMENT,
       "binding"},
      {"binding 7", [] { return made_with([](auto& to) { to.binding = 7; }); }, NW_INVALID_ARGUMENT, "is 7"},
      {"pages", [] { return made_with([](auto& to) { to.pages = 6; }); }, NW_INVALID_ARGUMENT, "pages"},
      {"layout", [] { return made_with([](auto& to) { to.layout = 3; }); }, NW_INVALID_ARGUMENT, "layout"},
      {"keep", [] { return made_with([](auto& to) { to.keep = 2; }); }, NW_INVALID_ARGUMENT, "keep"},
      {"workers", [] { return made_with([](auto& to) { to.workers = 1u << 20; }); }, NW_INVALID_ARGUMENT, ""},
      {"targets", [] { return made_with([](auto& to) { to.num_targets = 1; }); }, NW_INVALID_ARGUMENT,
       "targets"},
      {"target 4000", [] { return made_with([](auto& to) { to.targets = &nowhere, to.num_targets = 1; }); },
       NW_OUT_OF_RANGE, "4000"},
      {"name", [] { return made_with([](auto& to) { to.segment = "../up"; }); }, NW_INVALID_ARGUMENT, ""},
      {"publish later", [] { return made_with([](auto& to) { to.publish_later = 1; }); }, NW_INVALID_ARGUMENT,
       "segment"},
  });
}

TEST_CASE("a call that fails leaves no old handle or text, and takes no option that it would ignore") {
  float data[30] = {};
  auto* loader = reinterpret_cast<nw_loader>(std::uintptr_t{1});
  nw_loader_options options{};
  options.size = sizeof options;
  options.segment = "c_misuse-adopted";
  CHECK(nw_loader_adopt(data, &ten_by_three, NW_READ_WRITE, nullptr, nullptr, &options, &loader) ==
        NW_INVALID_ARGUMENT);
  CHECK(loader == nullptr);
  CHECK(std::string(nw_last_message()).find("c_misuse-adopted") != std::string::npos);
  char* text = reinterpret_cast<char*>(1);
  CHECK(nw_plan_to_json(nullptr, &text) == NW_INVALID_ARGUMENT);
  CHECK(text == nullptr);
  nw_source source = nullptr;
  nw_source_options unused{};
  unused.size = sizeof unused;
  unused.key = "digits";
  CHECK(nw_source_open("/nowhere.npy", &unused, &source) == NW_INVALID_ARGUMENT);
}
