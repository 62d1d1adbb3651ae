#include "ring/state.hpp"

#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/kernel_files.hpp"
#include "os/os.hpp"

namespace nodewise {

void RingMemory::refuse(std::uint64_t slot, std::uint64_t lap, ring::Ticket ticket) const {
  throw FormatError(base::text("BatchRing: ring \"", file->name(), "\" is damaged: slot ", slot, " of ",
                               slot_count, " is in lap ", lap, ", where its next loan or lease has number ",
                               ticket,
                               "; something wrote over its words: remove the ring and make it again"));
}

os::File BatchRing::State::open_again() const {
  const auto opened = os::current().reopen(file->descriptor(), true);
  if (!opened.ok())
    throw SystemError("BatchRing: its segment cannot be opened again" + os::no_proc_text(opened.error),
                      opened.error);
  return os::File(opened);
}

unsigned wake(ring::Sleepers& side, unsigned sleepers) {
  side.calls.fetch_add(1);
  return os::current().wake(reinterpret_cast<const std::uint32_t*>(&side.calls), sleepers);
}

void wake_all(ring::Control& control) {
  wake(control.producers, os::all_sleepers);
  wake(control.consumers, os::all_sleepers);
}

}  // namespace nodewise
