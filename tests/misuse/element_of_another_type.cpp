// An element is written as the type that the dataset has; text is none.
// Error: static.*f64 double, f32 float
#include <nodewise/loader.hpp>

void write(nodewise::BatchLoader& loader) {
#ifdef BROKEN
  loader.write_to_buffer(0, 0, "1.5");
#else
  loader.write_to_buffer(0, 0, 1.5);
#endif
}
