#include "os/space_text.hpp"

#include "base/text.hpp"
#include "os/os.hpp"

namespace nodewise::os {

std::string space_text(const std::string& path) {
  const auto space = current().space(path);
  if (!space.ok() || space.value.total_bytes == 0) return {};
  return base::text("; its file system has ", space.value.free_bytes, " bytes free of ",
                    base::human_bytes(space.value.total_bytes), space_remedy(space.value),
                    ", or remove files");
}

std::string_view space_remedy(const Space& space) {
  return space.kind == FileSystem::huge_pages
             ? "; enlarge its pool of huge pages (nr_hugepages), or the mount (size=...)"
             : "; enlarge it (mount -o remount,size=..., docker --shm-size)";
}

}  // namespace nodewise::os
