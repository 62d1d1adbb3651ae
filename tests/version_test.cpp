// The library says what it is. Method: what can be known apart from it (this file's own compiler and
// macros, hwloc's header) must agree with it; what cannot is held to its form.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include <nodewise/version.hpp>

namespace {

bool names_one_of(std::string_view text, std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    if (text.find(name) != text.npos) return true;
  return false;
}

}  // namespace

TEST_CASE("the linked library has the version of its headers") {
  const std::string expected = std::to_string(NODEWISE_VERSION_MAJOR) + "." +
                               std::to_string(NODEWISE_VERSION_MINOR) + "." +
                               std::to_string(NODEWISE_VERSION_PATCH);
  CHECK(nodewise::build_info().version == expected);
}

TEST_CASE("the compiler is the one that built this test too") {
#ifdef __clang__
  const std::string expected = "clang " + std::to_string(__clang_major__) + ".";
#else
  const std::string expected = "gcc " + std::to_string(__GNUC__) + ".";
#endif
  CHECK(nodewise::build_info().compiler.starts_with(expected));
}

TEST_CASE("the OpenMP runtime is named as it was found in the process") {
  const auto info = nodewise::build_info();
#ifdef __clang__
  CHECK(names_one_of(info.openmp, {"libomp", "libiomp5"}));
#else
  CHECK(names_one_of(info.openmp, {"libgomp"}));
#endif
  CHECK(info.openmp.find("OpenMP ") != info.openmp.npos);
}

TEST_CASE("hwloc and the vector dispatch are named") {
  const auto info = nodewise::build_info();
  CHECK(info.hwloc.find_first_not_of("0123456789.") == info.hwloc.npos);
  CHECK(info.hwloc.find('.') != info.hwloc.npos);
  CHECK(names_one_of(info.vector_dispatch, {"baseline", "avx2", "avx512"}));
}
