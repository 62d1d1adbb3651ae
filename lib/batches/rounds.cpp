#include "batches/rounds.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise {
namespace {

// More runs in a round gain nothing.
constexpr std::size_t most_runs = 1024;

// Regards the units of all `runs` as one sequence. Gives `worker` those parts of runs that lie in `units`, a
// range of this sequence.
void add_parts(unsigned worker, std::span<const std::size_t> runs,
               const std::vector<std::uint64_t>& units_of_run, base::Range units,
               std::vector<RunPart>& parts) {
  std::uint64_t begin = 0;  // where the run begins in the sequence
  for (const std::size_t run : runs) {
    const std::uint64_t end = begin + units_of_run[run];
    const base::Range common{std::max(begin, units.begin), std::min(end, units.end)};
    if (common.begin < common.end) parts.push_back({worker, run, {common.begin - begin, common.end - begin}});
    begin = end;
  }
}

std::vector<unsigned> readers_of(const Team& team, std::optional<unsigned> node) {
  if (node) return team.readers_of_node(*node);
  std::vector<unsigned> everyone(team.workers().size());
  std::iota(everyone.begin(), everyone.end(), 0U);
  return everyone;
}

}  // namespace

std::span<const BatchLease> StreamRounds::next() {
  runs_.clear();
  auto run = stream_.next();
  while (run) {
    check(*run);
    runs_.push_back(std::move(*run));
    if (runs_.size() == most_runs || !stream_.ready()) break;
    run = stream_.next();
  }
  return runs_;
}

void StreamRounds::check(const BatchLease& run) {
  const BatchRange batches = run.batches();
  const std::uint64_t all = stream_.dataset().num_batches();
  if (batches.start >= batches.stop || batches.stop > all || run.data() == nullptr)
    throw InvalidArgument(base::text(call_, ": the stream gave batches ", batches.start, " to ", batches.stop,
                                     run.data() == nullptr ? " without data" : "", " of a dataset of ", all));
  batches_given_ += batches.count();
  if (batches_given_ > all)
    throw InvalidArgument(base::text(call_, ": the stream gave ", batches_given_, " batches of a dataset of ",
                                     all, "; each may come once"));
}

std::vector<RunPart> divide_round(std::span<const BatchLease> runs, const Team& team,
                                  const std::function<std::uint64_t(const BatchLease&)>& units_of) {
  std::vector<std::uint64_t> units;
  std::vector<std::size_t> order;  // the runs, ordered by node
  for (std::size_t run = 0; run < runs.size(); ++run) {
    units.push_back(units_of(runs[run]));
    order.push_back(run);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(runs[a].node(), a) < std::pair(runs[b].node(), b);
  });
  std::vector<RunPart> parts;
  for (auto begin = order.begin(); begin != order.end();) {
    const auto node = runs[*begin].node();
    const auto end =
        std::find_if(begin, order.end(), [&](std::size_t run) { return runs[run].node() != node; });
    std::uint64_t all = 0;
    for (auto run = begin; run != end; ++run) all += units[*run];
    const auto readers = readers_of(team, node);
    for (std::size_t i = 0; i < readers.size(); ++i)
      add_parts(readers[i], {begin, end}, units, base::split(all, readers.size(), i), parts);
    begin = end;
  }
  return parts;
}

}  // namespace nodewise
