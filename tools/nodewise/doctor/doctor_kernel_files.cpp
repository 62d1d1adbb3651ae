// What cannot be found out where /proc or /sys is not mounted, as in a chroot or a small container.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "doctor/doctor.hpp"
#include "parts/system.hpp"

namespace nodewise::tools {
namespace {

struct KernelFiles {
  std::string_view folder;
  const char* witness;  // a file that is always there
  std::string_view lost;
  std::string_view remedy;
  std::array<std::string_view, 8> findings;  // that are wrong without it
};

constexpr KernelFiles kernel_files[] = {
    {"/proc",
     "/proc/self/stat",
     "segments with names, huge pages and the limits of control groups need it",
     "mount -t proc proc /proc",
     {"autonuma", "cpu-quota", "memory", "open-files", "mappings", "openmp-runtimes", "huge-page-limits",
      "memory-limits"}},
    {"/sys",
     "/sys/devices/system/cpu/online",
     "nodes, their memory and huge pages are read there",
     "mount -t sysfs sysfs /sys",
     {"transparent-huge-pages", "huge-page-pools"}}};

}  // namespace

std::vector<Finding> with_kernel_files(std::vector<Finding> findings) {
  Finding mounted{"kernel-files", Level::ok, "/proc and /sys can be read", {}};
  for (const KernelFiles& files : kernel_files) {
    if (read_text(files.witness).ok()) continue;
    const bool first = mounted.level == Level::ok;
    mounted.level = Level::warning;
    mounted.evidence = (first ? "" : mounted.evidence + "; ") +
                       fmt::format("{} is not mounted: {}", files.folder, files.lost);
    mounted.remedy += fmt::format("{}{}", first ? "" : "; ", files.remedy);
    for (Finding& finding : findings)
      if (std::find(files.findings.begin(), files.findings.end(), finding.name) != files.findings.end())
        finding = {
            finding.name, Level::note, fmt::format("not known, because {} is not mounted", files.folder), {}};
  }
  findings.insert(findings.begin(), std::move(mounted));
  return findings;
}

}  // namespace nodewise::tools
