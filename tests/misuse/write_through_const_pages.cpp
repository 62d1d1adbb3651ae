// Const pages, as a loader and a segment show theirs, are bytes to be read.
// Error: read-only|const-qualified|cannot assign
#include <nodewise/pages.hpp>

#ifdef BROKEN
using Memory = const nodewise::Pages;
#else
using Memory = nodewise::Pages;
#endif

void clear(Memory& pages) {
  *pages.data() = std::byte{0};
}
