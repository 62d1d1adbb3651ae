// Goal: a process that dies at any instant costs the others nothing: no published batch is lost, nobody waits
// for ever, nothing is left behind, and what the dead held is back within milliseconds. Method: producers,
// consumers, loaders, makers and those who share objects are killed by SIGKILL at every mark of
// lib/base/mark.hpp, and at random; what all of them wrote down is held against what should be. Members fork
// children meanwhile, which live on.
//
//     crash [KILLS_AT_EACH_MARK [KILLS_ANYWHERE [SEED]]]
#include "crash.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace nodewise::crash;

namespace {

double quantile(std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

unsigned argument(int count, char** words, int which, unsigned otherwise) {
  return count > which ? static_cast<unsigned>(std::strtoul(words[which], nullptr, 10)) : otherwise;
}

}  // namespace

int main(int count, char** words) {
  const unsigned at_each = argument(count, words, 1, 4);
  const unsigned anywhere = argument(count, words, 2, 100);
  const unsigned seed = argument(count, words, 3, 1);
  std::mt19937 random(seed);
  Outcome outcome;
  trap();
  orphans();
  crash_rings(outcome, at_each, anywhere, random);
  crash_segments(outcome, at_each, anywhere / 4, random);
  crash_objects(outcome, at_each, anywhere / 4, random);
  for (unsigned mark = 0; mark < marks; ++mark) {
    const auto kills = trap()->kills[mark].load();
    std::printf("%-16s %6lu kills\n", nodewise::base::mark_names[mark].data(),
                static_cast<unsigned long>(kills));
    if (kills < at_each) outcome.fault("a mark at which too few died");
  }
  auto& times = outcome.recovery_ms;
  std::sort(times.begin(), times.end());
  std::printf("seed %u: %lu kills, %lu batches, openings and turns, %lu redelivered\n", seed,
              static_cast<unsigned long>(outcome.kills), static_cast<unsigned long>(outcome.batches),
              static_cast<unsigned long>(outcome.redelivered));
  std::printf("%zu recoveries by survivors: median %.2f ms, p99 %.2f ms, longest %.2f ms\n", times.size(),
              quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1));
  for (std::size_t i = 0; i < orphans()->pids.size(); ++i) end_orphan(i);
  std::printf("%lu children were forked by members at any moment\n",
              static_cast<unsigned long>(orphans()->forked));
  std::printf("%lu faults\n", static_cast<unsigned long>(outcome.faults));
  return outcome.faults == 0 ? 0 : 1;
}
