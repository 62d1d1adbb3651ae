// A test that cannot run here says so, in one form that tools/dev counts and prints.
#pragma once

#include <cstdio>

/// Leaves the test case. `why` names what this machine lacks and where the test does run.
#define NODEWISE_SKIP(why)            \
  do {                                \
    std::printf("SKIP: %s\n", (why)); \
    return;                           \
  } while (false)
