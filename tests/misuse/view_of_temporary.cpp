// A view of a loader that is gone already would read memory that is gone.
// Error: deleted
#include <nodewise/load.hpp>

double first(const nodewise::BatchLoader& loader) {
#ifdef BROKEN
  const auto batch = nodewise::load_npy("digits.npy", 64).get_batch(0).as<double>();
  static_cast<void>(loader);
#else
  const auto batch = loader.get_batch(0).as<double>();
#endif
  return batch(0, 0);
}
