#include <nodewise/means.hpp>

#include <algorithm>
#include <map>

#include <nodewise/buffer_stream.hpp>
#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/fp_guard.hpp"
#include "base/text.hpp"
#include "batches/rounds.hpp"
#include "kernels/dispatch.hpp"
#include "means/run_means.hpp"
#include "means/with_sum.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

// A batch that is longer than this number of elements may be divided among workers, in multiples of this
// number.
constexpr std::uint64_t block_elements = 4096;
// The bytes that a worker takes at once if others may steal the rest. Reading them takes much longer than
// taking them.
constexpr std::uint64_t bytes_to_steal = std::uint64_t{1} << 20;

// Consecutive elements of one run that one worker has read, counted from the first element of the run.
struct Piece {
  std::size_t run = 0;
  base::Range elements;
  // The sums of its first and its last batch, if these batches extend beyond it.
  std::vector<PartialSum> partial_sums;
};

// Computes the means of one round of a stream.
class Round {
 public:
  Round(const Dataset& dataset, std::span<const BatchLease> leases, const Team& team,
        std::span<double> values)
      : dataset_(dataset), leases_(leases), values_(values), shares_(team), read_(team.workers().size()) {
    for (const BatchLease& lease : leases) runs_.emplace_back(dataset, lease, values.data());
    divide(team);
  }

  void run_worker(unsigned worker, bool own_threads) {
    const FpGuard guard;
    const KernelSet& kernels = best_kernels();
    with_sum(dataset_.dtype(), kernels, [&](auto& sum) {
      while (const auto next = shares_.take(worker, own_threads)) {
        std::vector<Piece>& read = read_[worker];
        const bool goes_on =
            !read.empty() && read.back().run == next->group && read.back().elements.end == next->units.begin;
        if (!goes_on) read.push_back({next->group, {next->units.begin, next->units.begin}, {}});
        read.back().elements.end = next->units.end;
        runs_[next->group].add_piece(next->units, read.back().partial_sums, sum, kernels);
      }
    });
  }

  // Computes the means of batches that several workers have read. Adds to `reads` which worker read which
  // bytes.
  void finish(std::vector<ReadRange>& reads) {
    const FpGuard guard;
    const std::uint64_t element_bytes = dtype_bytes(dataset_.dtype());
    std::map<std::uint64_t, ExactSum> shared;
    for (unsigned worker = 0; worker < read_.size(); ++worker)
      for (const Piece& piece : read_[worker]) {
        const std::uint64_t first = dataset_.bytes(leases_[piece.run].batches()).begin;
        reads.push_back(
            {worker,
             {first + piece.elements.begin * element_bytes, first + piece.elements.end * element_bytes}});
        for (const PartialSum& partial : piece.partial_sums) shared[partial.batch].add(partial.sum);
      }
    for (const auto& [batch, sum] : shared)
      values_[batch] = sum.mean(dataset_.batch_bytes(batch).bytes() / element_bytes);
  }

 private:
  // Divides by whole batches; longer batches are divided into blocks.
  void divide(const Team& team) {
    const std::uint64_t element_bytes = dtype_bytes(dataset_.dtype());
    const std::uint64_t unit =
        std::clamp<std::uint64_t>(dataset_.most_batch_bytes() / element_bytes, 1, block_elements);
    const auto units_of = [&](std::uint64_t elements) { return (elements + unit - 1) / unit; };
    const std::uint64_t at_once = std::max<std::uint64_t>(bytes_to_steal / (unit * element_bytes), 1);
    const auto units_of_lease = [&](const BatchLease& lease) {
      return units_of(dataset_.bytes(lease.batches()).bytes() / element_bytes);
    };
    for (const RunPart& part : divide_round(leases_, team, units_of_lease))
      shares_.give(part.worker, part.run,
                   {part.units.begin * unit, std::min(part.units.end * unit, runs_[part.run].elements())},
                   at_once * unit);
  }

  const Dataset& dataset_;
  std::span<const BatchLease> leases_;
  std::span<double> values_;
  WorkShares shares_;
  std::vector<RunMeans> runs_;
  std::vector<std::vector<Piece>> read_;  // by worker
};

}  // namespace

Means batch_means(BatchStream& stream, const Team& team, std::span<double> values) {
  const Dataset& dataset = stream.dataset();
  if (values.size() != dataset.num_batches())
    throw InvalidArgument(base::text("batch_means: ", values.size(), " values have no room for the means of ",
                                     dataset.num_batches(), " batches"));
  Means means;
  StreamRounds rounds(stream, "batch_means");
  // The first round is run even if it has no runs, because it finds out where the workers are.
  for (auto leases = rounds.next(); means.team.empty() || !leases.empty(); leases = rounds.next()) {
    Round round(dataset, leases, team, values);
    TeamRun run =
        recorded_run(team, [&](unsigned worker, bool own_threads) { round.run_worker(worker, own_threads); });
    round.finish(means.reads);
    means.team = std::move(run.ran_on);
    means.on_calling_thread = run.on_calling_thread;
  }
  return means;
}

Means batch_means(BatchStream& stream, const Team& team) {
  std::vector<double> values(stream.dataset().num_batches(), canonical_nan());
  Means means = batch_means(stream, team, values);
  means.values = std::move(values);
  return means;
}

Means batch_means(const Buffer& buffer, const Team& team) {
  team.check_plan(buffer.plan());
  BufferStream stream(buffer);
  return batch_means(stream, team);
}

Means batch_means(const Buffer& buffer, const Team& team, std::span<double> values) {
  team.check_plan(buffer.plan());
  BufferStream stream(buffer);
  return batch_means(stream, team, values);
}

}  // namespace nodewise
