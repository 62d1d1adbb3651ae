// A const loader of known elements gives views that only read.
// Error: read-only|const-qualified|cannot assign
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Loader = const nodewise::ZeroCopyBatchLoader<float>;
#else
using Loader = nodewise::ZeroCopyBatchLoader<float>;
#endif

void clear(Loader& loader) {
  loader.get_batch(0)(0, 0) = 0.0F;
}
