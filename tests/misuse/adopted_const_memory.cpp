// Memory that may only be read is adopted as such: what releases it may not write it either.
// Error: invalid conversion|no matching function|could not convert|no viable
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Released = void;
#else
using Released = const void;
#endif

nodewise::BatchLoader wrap(const float* data) {
  return nodewise::BatchLoader::adopt(data, {{100, 4}, nodewise::DType::f32, 10}, {}, [](Released*) {});
}
