#include "os/space_text.hpp"

#include "base/text.hpp"
#include "os/os.hpp"

namespace nodewise::os {

std::string space_text(const std::string& path) {
  const auto space = current().space(path);
  if (!space.ok() || space.value.total_bytes == 0) return {};
  return base::text("; its file system has ", space.value.free_bytes, " bytes free of ",
                    base::human_bytes(space.value.total_bytes),
                    "; enlarge it (mount -o remount,size=..., docker --shm-size), or remove files");
}

}  // namespace nodewise::os
