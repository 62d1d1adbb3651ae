// A batch had from the loader, beside a pointer and arithmetic.
//
//   loader/get_batch   a hundred thousand of them
#include <nodewise/loader.hpp>

#include <algorithm>
#include <memory>

#include "support/data.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::AnyConstBatchView;
using nodewise::DType;

constexpr std::uint64_t batches = 100000, batch_size = 4, features = 3, samples = batches * batch_size - 1;

// By reference: a copy would be read in other words than it was written in, which processors stumble over.
template <class View>
void drop(const View& view) {
  benchmark::DoNotOptimize(view);
}

Work by_loader() {
  nodewise::LoaderOptions options;
  options.topology = machine();
  const auto loader = std::make_shared<const nodewise::BatchLoader>(
      nodewise::Dataset{{samples, features}, DType::f64, batch_size}, options);
  return [loader] {
    for (std::uint64_t batch = 0; batch < batches; ++batch) drop(loader->get_batch(batch));
  };
}

/// Nothing is checked, and the last batch is short.
AnyConstBatchView view_at(const std::byte* data, std::uint64_t batch) {
  const std::uint64_t row = batch * batch_size;
  return {data + row * features * sizeof(double), DType::f64, std::min(batch_size, samples - row), features,
          features};
}

void add_cases() {
  add("loader/get_batch", "nodewise", by_loader);
  add("loader/get_batch", "view_by_hand", []() -> Work {
    return [data = dataset(DType::f64, samples, features, batch_size).buffer.data()] {
      for (std::uint64_t batch = 0; batch < batches; ++batch) drop(view_at(data, batch));
    };
  });
  add("loader/get_batch", "pointer_by_hand", []() -> Work {
    return [data = dataset(DType::f64, samples, features, batch_size).buffer.data()] {
      for (std::uint64_t batch = 0; batch < batches; ++batch)
        drop(data + batch * batch_size * features * sizeof(double));
    };
  });
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
