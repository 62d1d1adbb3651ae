// A view that may write is not had from one that only reads, in any layout.
// Error: no matching|no viable|could not convert|constraints not satisfied|cannot convert|conversion from
#include <nodewise/layout.hpp>
#include <nodewise/loader.hpp>

using nodewise::Layout;

#ifdef BROKEN
using Element = float;
#else
using Element = const float;
#endif

float first(const nodewise::BatchLoader& loader) {
  const nodewise::LayoutView<Element, Layout::columns> columns = loader.get_batch(0);
  return columns(0, 0);
}
