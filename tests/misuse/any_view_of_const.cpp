// A view that may only read does not become one that writes, where the element type is known at run time.
// Error: no matching|no viable|could not convert|no known conversion|conversion from
#include <nodewise/view.hpp>

#ifdef BROKEN
nodewise::AnyBatchView convert(nodewise::AnyConstBatchView view) {
  return view;
}
#else
nodewise::AnyConstBatchView convert(nodewise::AnyBatchView view) {
  return view;
}
#endif
