#include "os/kernel_files.hpp"

#include <cerrno>

#include "os/os.hpp"

namespace nodewise::os {

std::string no_proc_text(int error) {
  if (error != ENOENT || current().path_status("/proc/self/fd").ok()) return {};
  return "; a segment is opened again through /proc/self/fd, and /proc is not mounted here (mount -t proc "
         "proc "
         "/proc)";
}

}  // namespace nodewise::os
