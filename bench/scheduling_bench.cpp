// What stealing gains where work is uneven, and what it costs where it is not.
//
//   scheduling/work:uneven/threads:T  the first half of the batches takes four times as long as the others
//   scheduling/work:even/threads:T    all take the same
//
// "nodewise" steals; "local" is nodewise without.
#include <nodewise/means.hpp>

#include <vector>

#include <fmt/format.h>

#include "support/data.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::Scheduling;

constexpr std::uint64_t features = 1024, batch_size = 16, batches = 512;

const Dataset& set_of_batches() {
  return dataset(nodewise::DType::f64, batches * batch_size, features, batch_size);
}

Work work(unsigned threads, Scheduling scheduling, unsigned times_in_first_half) {
  nodewise::TeamOptions options;
  options.workers = threads;
  options.scheduling = scheduling;
  const Dataset& set = set_of_batches();
  return [&set, times_in_first_half, team = nodewise::Team(machine(), options),
          means = std::vector<double>(batches)]() mutable {
    team.for_each_shard(set.plan, [&](const nodewise::ShardPart& part) {
      for (const auto batch : part.batches)
        for (unsigned i = 0; i < (batch < batches / 2 ? times_in_first_half : 1); ++i)
          means[batch] = nodewise::mean(set.data() + set.plan.dataset().batch_bytes(batch).begin,
                                        nodewise::DType::f64, set.batch_elements());
    });
    benchmark::DoNotOptimize(means.data());
  };
}

void add_cases() {
  for (const auto& [name, times] : {std::pair{"uneven", 4U}, {"even", 1U}})
    for (const unsigned threads : {2U}) {
      const std::string of = fmt::format("scheduling/work:{}/threads:{}", name, threads);
      add(of, "nodewise", [=, times = times] { return work(threads, Scheduling::stealing, times); },
          {.residency = [=] { return residency(set_of_batches().buffer, team(threads)); }});
      add(of, "local", [=, times = times] { return work(threads, Scheduling::local, times); });
    }
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
