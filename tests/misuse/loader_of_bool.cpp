// bool has no element type: its bytes are u8.
// Error: static.*f64 double, f32 float
#include <nodewise/loader.hpp>

#ifdef BROKEN
using Loader = nodewise::ZeroCopyBatchLoader<bool>;
#else
using Loader = nodewise::ZeroCopyBatchLoader<std::uint8_t>;
#endif

std::uint64_t count(const Loader& loader) {
  return loader.num_batches();
}
