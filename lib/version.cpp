#include <nodewise/version.hpp>

#include <string_view>

#include "base/text.hpp"
#include "kernels/dispatch.hpp"
#include "os/hwloc/topology.hpp"
#include "os/loaded.hpp"
#include "team/openmp/openmp.hpp"

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
std::string_view specification_of(const OpenMp& runtime) {
  switch (runtime.specification) {
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
std::string name_of_openmp() {
  const OpenMp& used = openmp();
  const std::string file = os::file_of_address(used.some_function);
  std::string_view runtime = file;
  for (const std::string_view known : {"libgomp", "libomp", "libiomp5"})
    if (file.starts_with(known)) runtime = known;
  return base::text(runtime, ", OpenMP ", specification_of(used), " (", used.specification, ')');
}

}  // namespace

BuildInfo build_info() {
  BuildInfo info;
  info.version = base::text(NODEWISE_VERSION_MAJOR, '.', NODEWISE_VERSION_MINOR, '.', NODEWISE_VERSION_PATCH);
  info.compiler = compiler();
  info.openmp = name_of_openmp();
  info.hwloc = os::hwloc_version();
  info.vector_dispatch = best_kernels().instruction_set;
  return info;
}

}  // namespace nodewise
