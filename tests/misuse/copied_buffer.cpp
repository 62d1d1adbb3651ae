// A buffer moves; its pages can be shared, its placement is one.
// Error: deleted
#include <utility>

#include <nodewise/buffer.hpp>

nodewise::Buffer second(nodewise::Buffer& first) {
#ifdef BROKEN
  return first;
#else
  return std::move(first);
#endif
}
