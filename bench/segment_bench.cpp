// Segments that another process made.
//
//   segment/open/mib:N   opened by name on a machine that is known, a view of the last batch taken, and
//   closed again
#include <memory>
#include <string>

#include <fmt/format.h>

#include <nodewise/loader.hpp>
#include <nodewise/segment.hpp>

#include "support/partner.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::BatchLoader;

constexpr std::uint64_t batch_size = 1024, features = 256;  // of f32: a MiB

/// A process that has a segment of so many batches.
std::shared_ptr<Partner> maker_of(const std::string& name, std::uint64_t batches) {
  return std::make_shared<Partner>([=] {
    nodewise::LoaderOptions options;
    options.segment = nodewise::SegmentOptions{.name = name};
    const auto loader = std::make_shared<BatchLoader>(
        nodewise::Dataset{{batches * batch_size, features}, nodewise::DType::f32, batch_size}, options);
    return [loader] {};
  });
}

Work open(std::uint64_t mib) {
  const std::string name = fmt::format("bench.{}.{}", ::getpid(), mib);
  nodewise::LoaderOptions options;
  options.topology = nodewise::Topology::this_machine();
  return [=, maker = maker_of(name, mib)] {
    const auto loader = BatchLoader::open(name, nodewise::Access::read_only, options);
    const auto view = loader.get_batch(loader.num_batches() - 1);
    benchmark::DoNotOptimize(view.data());
  };
}

void add_cases() {
  for (const std::uint64_t mib : {std::uint64_t{1}, std::uint64_t{4 * large_mib()}})
    add(fmt::format("segment/open/mib:{}", mib), "nodewise", [mib] { return open(mib); });
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
