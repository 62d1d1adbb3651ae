// A view that writes becomes one that reads, never the reverse.
// Error: no matching|no viable|could not convert|no known conversion
#include <nodewise/view.hpp>

#ifdef BROKEN
nodewise::BatchView<float> convert(nodewise::BatchView<const float> view) {
  return view;
}
#else
nodewise::BatchView<const float> convert(nodewise::BatchView<float> view) {
  return view;
}
#endif
