// Elements are of the element types and no others.
// Error: static.*f64 double, f32 float
#include <string>

#include <nodewise/view.hpp>

#ifdef BROKEN
nodewise::BatchView<std::string> view;
#else
nodewise::BatchView<nodewise::float16> view;
#endif
