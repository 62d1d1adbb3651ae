// A const loader gives views that only read.
// Error: read-only|const-qualified|cannot assign
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Loader = const nodewise::BatchLoader;
#else
using Loader = nodewise::BatchLoader;
#endif

void clear(Loader& loader) {
  loader.get_batch(0).as<float>()(0, 0) = 0.0F;
}
