// A view that reads does not write.
// Error: read-only|const-qualified
#include <nodewise/view.hpp>

#ifdef BROKEN
using Element = const float;
#else
using Element = float;
#endif

void clear(nodewise::BatchView<Element> view) {
  view(0, 0) = 0.0F;
}
