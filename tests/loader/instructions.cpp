// What instructions_test.py counts the instructions of: `instructions any 1000` and `instructions typed 1000`
// have a thousand batches from a loader, in a function that is named so.
#include <cstdlib>
#include <string_view>

#include <nodewise/loader.hpp>

namespace {

constexpr std::uint64_t batch_size = 4, batches = 30000, features = 3;

/// Demands that every part of a view is there.
template <class View>
void look_at(const View& view) {
  asm volatile("" : : "m"(view));
}

}  // namespace

extern "C" {

[[gnu::noinline]] void any(const nodewise::BatchLoader& loader, std::uint64_t calls) {
  for (std::uint64_t batch = 0; batch < calls; ++batch) look_at(loader.get_batch(batch));
}

[[gnu::noinline]] void typed(const nodewise::ZeroCopyBatchLoader<float>& loader, std::uint64_t calls) {
  for (std::uint64_t batch = 0; batch < calls; ++batch) look_at(loader.get_batch(batch));
}
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::uint64_t calls = std::strtoull(argv[2], nullptr, 10);
  const nodewise::ZeroCopyBatchLoader<float> loader(batches * batch_size - 1, features, batch_size);
  if (argv[1] == std::string_view("any"))
    any(loader.loader(), calls);
  else
    typed(loader, calls);
}
