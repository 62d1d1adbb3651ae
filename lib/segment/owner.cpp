#include "segment/owner.hpp"

#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {

std::string_view to_string(SegmentOwner::State state) noexcept {
  switch (state) {
    case SegmentOwner::State::alive:
      return "alive";
    case SegmentOwner::State::dead:
      return "dead";
    case SegmentOwner::State::unknown:
      return "unknown";
  }
  return {};
}

SegmentOwner::State owner_state(const SegmentOwner& owner) {
  const auto here = os::current().path_status("/proc/self/ns/pid");
  if (!here.ok() || here.value.inode != owner.pid_namespace) return SegmentOwner::State::unknown;
  const bool runs = os::process_start_ticks(owner.pid) == owner.start_ticks;
  return runs ? SegmentOwner::State::alive : SegmentOwner::State::dead;
}

SegmentOwner this_process() {
  os::Os& os = os::current();
  const auto pid = static_cast<std::uint32_t>(os.process_id());
  return {.pid = pid,
          .uid = os.user_id(),
          .start_ticks = os::process_start_ticks(pid).value_or(0),
          .pid_namespace = os.path_status("/proc/self/ns/pid").value.inode};
}

}  // namespace nodewise
