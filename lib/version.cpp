#include <nodewise/version.hpp>

#include <omp.h>

#include <string_view>

#include "base/text.hpp"
#include "kernels/dispatch.hpp"
#include "os/hwloc/topology.hpp"
#include "os/loaded.hpp"

namespace nodewise {
namespace {

std::string compiler() {
#ifdef __clang__
  return base::text("clang ", __clang_major__, '.', __clang_minor__, '.', __clang_patchlevel__);
#else
  return base::text("gcc ", __GNUC__, '.', __GNUC_MINOR__, '.', __GNUC_PATCHLEVEL__);
#endif
}

/// The OpenMP specification that belongs to the date in `_OPENMP`.
std::string_view openmp_specification() {
  switch (_OPENMP) {
    case 201511:
      return "4.5";
    case 201811:
      return "5.0";
    case 202011:
      return "5.1";
    case 202111:
      return "5.2";
    default:
      return "of another date";
  }
}

/// The OpenMP runtime that this library calls. A process can have several runtimes.
std::string openmp() {
  const std::string file = os::file_of_address(reinterpret_cast<const void*>(&omp_get_max_threads));
  std::string_view runtime = file;
  for (const std::string_view known : {"libgomp", "libomp", "libiomp5"})
    if (file.starts_with(known)) runtime = known;
  return base::text(runtime, ", OpenMP ", openmp_specification(), " (", _OPENMP, ')');
}

}  // namespace

BuildInfo build_info() {
  BuildInfo info;
  info.version = base::text(NODEWISE_VERSION_MAJOR, '.', NODEWISE_VERSION_MINOR, '.', NODEWISE_VERSION_PATCH);
  info.compiler = compiler();
  info.openmp = openmp();
  info.hwloc = os::hwloc_version();
  info.vector_dispatch = best_kernels().instruction_set;
  return info;
}

}  // namespace nodewise
