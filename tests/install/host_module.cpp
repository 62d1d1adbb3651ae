// What a Python process loads by ctypes: a function of C that calls the library.
#include <nodewise/nodewise.hpp>

extern "C" double mean_of_ones() {
  nodewise::ZeroCopyBatchLoader<float> loader(100, 1, 100);
  for (unsigned row = 0; row < 100; ++row) loader.write_to_buffer(row, 0, 1.0F);
  return loader.means()[0];
}
