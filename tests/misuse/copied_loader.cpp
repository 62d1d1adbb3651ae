// A loader moves; a copy would be a second dataset, or a second owner of one.
// Error: deleted
#include <utility>

#include <nodewise/loader.hpp>

nodewise::BatchLoader second(nodewise::BatchLoader& first) {
#ifdef BROKEN
  return first;
#else
  return std::move(first);
#endif
}
