// Elements are the twelve types and no others.
// Error: Element|constraint
#include <string>

#include <nodewise/view.hpp>

#ifdef BROKEN
nodewise::BatchView<std::string> view;
#else
nodewise::BatchView<nodewise::float16> view;
#endif
