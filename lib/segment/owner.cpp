#include "segment/owner.hpp"

#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {

SegmentOwner this_process() {
  os::Os& os = os::current();
  const auto pid = static_cast<std::uint32_t>(os.process_id());
  return {.pid = pid,
          .uid = os.user_id(),
          .start_ticks = os::process_start_ticks(pid).value_or(0),
          .pid_namespace = os.path_status("/proc/self/ns/pid").value.inode};
}

}  // namespace nodewise
