// write_to_buffer writes, so a const loader does not have it.
// Error: discards qualifiers|not marked const|no matching
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Loader = const nodewise::BatchLoader;
#else
using Loader = nodewise::BatchLoader;
#endif

void clear(Loader& loader) {
  loader.write_to_buffer(0, 0, 0.0F);
}
