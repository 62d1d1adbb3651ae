// Describes this build of the library.
#pragma once

#include <string>

#include <nodewise/export.hpp>

#define NODEWISE_VERSION_MAJOR 0
#define NODEWISE_VERSION_MINOR 1
#define NODEWISE_VERSION_PATCH 0

namespace nodewise {

struct BuildInfo {
  std::string version;   ///< The version of the library that was linked: "0.1.0".
  std::string compiler;  ///< "gcc 12.2.0", "clang 14.0.6".
  std::string openmp;    ///< "libgomp" or "libomp", and its OpenMP version. build_info() loads it.
  std::string hwloc;     ///< The version of hwloc in use.
  /// The instruction set that the means use on this processor: "avx2", ..., or "baseline".
  std::string vector_dispatch;
};

NODEWISE_PUBLIC BuildInfo build_info();

}  // namespace nodewise
