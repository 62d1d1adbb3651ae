// A program as its users write it: the mean of a batch, and an exception that crosses the library's border.
#include <cstdio>
#include <nodewise/nodewise.hpp>

int main() {
  nodewise::ZeroCopyBatchLoader<float> loader(10, 4, 5);
  for (unsigned col = 0; col < 4; ++col) loader.write_to_buffer(7, col, 5.0F);
  try {
    loader.get_batch(2);
  } catch (const nodewise::OutOfRange&) {
    std::printf("nodewise %s, mean %g\n", nodewise::build_info().version.c_str(), loader.means()[1]);
  }
}
