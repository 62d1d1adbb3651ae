// A const segment gives views that only read.
// Error: read-only|const-qualified|cannot assign
#include <nodewise/segment.hpp>

#ifdef BROKEN
using Shared = const nodewise::Segment;
#else
using Shared = nodewise::Segment;
#endif

void clear(Shared& segment) {
  segment.get_batch(0).as<float>()(0, 0) = 0.0F;
}
