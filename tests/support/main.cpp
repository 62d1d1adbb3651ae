// Runs the tests of a program, and then looks whether they left a file in /dev/shm.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "support/own_names.hpp"

int main(int count, char** words) {
  doctest::Context tests(count, words);
  int result = tests.run();
  for (const auto& path : nodewise::test::own_files()) {
    std::fprintf(stderr, "FAILED: a test left %s\n", path.c_str());
    std::filesystem::remove_all(path);
    result = 1;
  }
  return result;
}
