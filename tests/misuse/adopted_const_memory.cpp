// Memory that may only be read cannot be adopted: every view could write to it.
// Error: invalid conversion|no matching function|cannot initialize
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Memory = const float;
#else
using Memory = float;
#endif

nodewise::BatchLoader wrap(Memory* data) {
  return nodewise::BatchLoader::adopt(data, {{100, 4}, nodewise::DType::f32, 10});
}
