// An element is written as the type that the dataset has; text is none.
// Error: no matching|no viable|constraint
#include <nodewise/loader.hpp>

void write(nodewise::BatchLoader& loader) {
#ifdef BROKEN
  loader.write_to_buffer(0, 0, "1.5");
#else
  loader.write_to_buffer(0, 0, 1.5);
#endif
}
