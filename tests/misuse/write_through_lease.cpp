// A batch that a ring's consumer holds is read: another consumer may get it again. A producer's loan is
// written.
// Error: read-only|const-qualified|cannot assign
#include <nodewise/batch_ring.hpp>

#ifdef BROKEN
using Slot = nodewise::RingLease;
#else
using Slot = nodewise::RingLoan;
#endif

void clear(Slot& slot) {
  slot.view().as<float>()(0, 0) = 0.0F;
}
