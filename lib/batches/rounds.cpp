#include "batches/rounds.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise {
namespace {

// More in a round gain nothing, and a worker that looks for its next share passes those of a round.
constexpr std::size_t most_runs = 1024;

// Of all `runs` taken for one sequence of units: the part of each run that lies in `units`.
void add_parts(unsigned worker, const std::vector<std::size_t>& runs,
               const std::vector<std::uint64_t>& units_of_run, base::Range units,
               std::vector<RunPart>& parts) {
  std::uint64_t begin = 0;  // of the run, in the sequence
  for (const std::size_t run : runs) {
    const std::uint64_t end = begin + units_of_run[run];
    const base::Range common{std::max(begin, units.begin), std::min(end, units.end)};
    if (common.begin < common.end) parts.push_back({worker, run, {common.begin - begin, common.end - begin}});
    begin = end;
  }
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
  if (batches.begin >= batches.end || batches.end > all || run.data() == nullptr)
    throw InvalidArgument(base::text(call_, ": the stream gave batches ", batches.begin, " to ", batches.end,
                                     run.data() == nullptr ? " without data" : "", " of a dataset of ", all));
  batches_given_ += batches.count();
  if (batches_given_ > all)
    throw InvalidArgument(base::text(call_, ": the stream gave ", batches_given_, " batches of a dataset of ",
                                     all, "; each may come once"));
}

std::vector<RunPart> divide_round(std::span<const BatchLease> runs, const Team& team,
                                  const std::function<std::uint64_t(const BatchLease&)>& units_of) {
  std::vector<std::uint64_t> units;
  std::map<std::optional<unsigned>, std::vector<std::size_t>> runs_by_node;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    units.push_back(units_of(runs[run]));
    runs_by_node[runs[run].node()].push_back(run);
  }
  std::vector<unsigned> everyone(team.workers().size());
  std::iota(everyone.begin(), everyone.end(), 0U);
  std::vector<RunPart> parts;
  for (const auto& [node, on_node] : runs_by_node) {
    const auto& readers = node ? team.readers_of_node(*node) : everyone;
    std::uint64_t all = 0;
    for (const std::size_t run : on_node) all += units[run];
    for (std::size_t i = 0; i < readers.size(); ++i)
      add_parts(readers[i], on_node, units, base::split(all, readers.size(), i), parts);
  }
  return parts;
}

}  // namespace nodewise
