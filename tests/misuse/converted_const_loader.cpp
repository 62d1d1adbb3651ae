// Converting in place writes, so a const loader does not.
// Error: discards qualifiers|not marked const|no matching
#include <nodewise/layout.hpp>
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Loader = const nodewise::BatchLoader;
#else
using Loader = nodewise::BatchLoader;
#endif

void arrange(Loader& loader, const nodewise::NodePools& pools) {
  loader.convert_layout(nodewise::Layout::columns, pools);
}
