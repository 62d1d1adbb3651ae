// Bugs on purpose: `tools/dev fuzz --plant K` builds a parser with its K-th one and checks that fuzzing
// finds it.
#pragma once

/// `right`, or `buggy` in the build that plants bug K (see tests/fuzz/README.md). Only one of the two is
/// evaluated.
#ifdef NODEWISE_PLANT
#define NODEWISE_PLANTED(K, buggy, right) (NODEWISE_PLANT == (K) ? (buggy) : (right))
#else
#define NODEWISE_PLANTED(K, buggy, right) (right)
#endif
