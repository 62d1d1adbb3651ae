#include <nodewise/means.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/fp_guard.hpp"
#include "base/text.hpp"
#include "kernels/dispatch.hpp"
#include "means/float_sum.hpp"
#include "means/integer_sum.hpp"
#include "means/mean_with.hpp"
#include "means/short_batches.hpp"
#include "team/run.hpp"
#include "team/shares.hpp"

namespace nodewise {
namespace {

using base::FpGuard;

// Of a batch longer than this, workers may have parts: so many elements, or a multiple.
constexpr std::uint64_t block_elements = 4096;
// What a worker takes at once where others may take the rest from it: nothing beside the time that it takes.
constexpr std::uint64_t bytes_to_steal = std::uint64_t{1} << 20;

// Calls fn with the sum that suits `dtype`.
template <class Fn>
void with_sum(DType dtype, const KernelSet& kernels, Fn fn) {
  switch (dtype) {
    case DType::f64:
    case DType::f32:
    case DType::f16:
    case DType::bf16: {
      FloatSum sum(dtype, kernels);
      return fn(sum);
    }
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u64:
    case DType::u32:
    case DType::u16:
    case DType::u8: {
      IntegerSum sum(dtype, kernels);
      return fn(sum);
    }
  }
}

// The exact sum of a part of a batch, whose other parts other workers have.
struct PartialSum {
  std::uint64_t batch = 0;
  ExactSum sum;
};

// Consecutive elements of one shard that one worker has read.
struct Piece {
  std::size_t shard = 0;
  base::Range elements;
  std::vector<PartialSum> partial_sums;  // of its first and its last batch, if they reach beyond it
};

class Computation {
 public:
  Computation(const Buffer& buffer, const Team& team, std::span<double> values)
      : data_(buffer.data()),
        dtype_(buffer.plan().dataset().dtype()),
        element_bytes_(dtype_bytes(dtype_)),
        total_elements_(buffer.plan().dataset().total_bytes() / element_bytes_),
        values_(values),
        shares_(team),
        read_(team.workers().size()) {
    const Plan& plan = buffer.plan();
    if (plan.num_batches() > 0) batch_elements_ = plan.dataset().most_batch_bytes() / element_bytes_;
    for (std::size_t shard = 0; shard < plan.shards().size(); ++shard)
      divide(shard, plan.shards()[shard], team.readers(plan, shard));
  }

  void run_worker(unsigned worker, bool own_threads) {
    const FpGuard guard;
    const KernelSet& kernels = best_kernels();
    with_sum(dtype_, kernels, [&](auto& sum) {
      while (const auto next = shares_.take(worker, own_threads)) {
        std::vector<Piece>& read = read_[worker];
        const bool goes_on = !read.empty() && read.back().shard == next->shard &&
                             read.back().elements.end == next->units.begin;
        if (!goes_on) read.push_back({next->shard, {next->units.begin, next->units.begin}, {}});
        read.back().elements.end = next->units.end;
        add_piece(next->units, read.back().partial_sums, sum, kernels);
      }
    });
  }

  Means finish(TeamRun run) {
    const FpGuard guard;
    Means means;
    std::map<std::uint64_t, ExactSum> shared;
    for (unsigned worker = 0; worker < read_.size(); ++worker)
      for (const Piece& piece : read_[worker]) {
        means.reads.push_back(
            {worker, {piece.elements.begin * element_bytes_, piece.elements.end * element_bytes_}});
        for (const PartialSum& partial : piece.partial_sums) shared[partial.batch].add(partial.sum);
      }
    for (const auto& [batch, sum] : shared) values_[batch] = sum.mean(batch_range(batch).size());
    means.team = std::move(run.ran_on);
    means.on_calling_thread = run.on_calling_thread;
    return means;
  }

 private:
  // Among the readers of a shard, by whole batches, or by blocks of longer ones.
  void divide(std::size_t index, const Shard& shard, const std::vector<unsigned>& readers) {
    const base::Range all{shard.bytes.begin / element_bytes_, shard.bytes.end / element_bytes_};
    const std::uint64_t unit = std::min(batch_elements_, block_elements);
    const std::uint64_t at_once = std::max<std::uint64_t>(bytes_to_steal / (unit * element_bytes_), 1);
    for (std::size_t i = 0; i < readers.size() && all.size() > 0; ++i) {
      const base::Range units = base::split((all.size() + unit - 1) / unit, readers.size(), i);
      const base::Range elements{all.begin + units.begin * unit,
                                 std::min(all.begin + units.end * unit, all.end)};
      if (elements.size() > 0) shares_.give(readers[i], index, elements, at_once * unit);
    }
  }

  base::Range batch_range(std::uint64_t batch) const {
    const std::uint64_t begin = batch * batch_elements_;
    return {begin, begin + std::min(batch_elements_, total_elements_ - begin)};
  }

  // As many whole batches of `elements` as there are; where they end.
  template <class Sum>
  std::uint64_t add_short_batches(const base::Range& elements, Sum& sum, const KernelSet& kernels) {
    if (batch_elements_ > ShortBatches::most_elements) return elements.begin;
    ShortBatches short_batches(dtype_, batch_elements_, kernels);
    const std::uint64_t end = elements.end / batch_elements_;
    for (std::uint64_t batch = elements.begin / batch_elements_; batch < end;) {
      const std::uint64_t next = std::min(batch + short_batches.group(), end);
      const std::byte* data = data_ + batch * batch_elements_ * element_bytes_;
      if (!short_batches.means(data, static_cast<std::size_t>(next - batch), &values_[batch]))
        for (std::uint64_t i = batch; i < next; ++i)
          if (values_[i] != values_[i]) add_batch(i, sum);
      batch = next;
    }
    return end * batch_elements_;
  }

  template <class Sum>
  void add_batch(std::uint64_t batch, Sum& sum) {
    const base::Range elements = batch_range(batch);
    sum.add(data_ + elements.begin * element_bytes_, elements.size());
    values_[batch] = sum.take_mean(elements.size());
  }

  // `partial_sums`: of batches that reach beyond the elements.
  template <class Sum>
  void add_piece(const base::Range& elements, std::vector<PartialSum>& partial_sums, Sum& sum,
                 const KernelSet& kernels) {
    std::uint64_t at = add_short_batches(elements, sum, kernels);
    while (at < elements.end) {
      const std::uint64_t batch = at / batch_elements_;
      const base::Range whole = batch_range(batch);
      const base::Range part{at, std::min(whole.end, elements.end)};
      at = part.end;
      if (part.size() == whole.size()) {
        add_batch(batch, sum);
        continue;
      }
      sum.add(data_ + part.begin * element_bytes_, part.size());
      if (partial_sums.empty() || partial_sums.back().batch != batch) partial_sums.push_back({batch, {}});
      partial_sums.back().sum.add(sum.take_sum());
    }
  }

  const std::byte* data_;
  DType dtype_;
  std::uint64_t element_bytes_;
  std::uint64_t total_elements_;
  std::uint64_t batch_elements_ = 1;
  std::span<double> values_;
  WorkShares shares_;
  std::vector<std::vector<Piece>> read_;  // by worker
};

}  // namespace

std::string_view sum_order() noexcept {
  return "exact-1";
}

Means batch_means(const Buffer& buffer, const Team& team) {
  std::vector<double> values(buffer.plan().num_batches());
  Means means = batch_means(buffer, team, values);
  means.values = std::move(values);
  return means;
}

Means batch_means(const Buffer& buffer, const Team& team, std::span<double> values) {
  if (values.size() != buffer.plan().num_batches())
    throw InvalidArgument(base::text("batch_means: ", values.size(), " values are no room for the means of ",
                                     buffer.plan().num_batches(), " batches"));
  Computation computation(buffer, team, values);
  TeamRun run = recorded_run(
      team, [&](unsigned worker, bool own_threads) { computation.run_worker(worker, own_threads); });
  return computation.finish(std::move(run));
}

double mean_with(const KernelSet& kernels, const void* data, DType dtype, std::uint64_t count) {
  if (count == 0) return canonical_nan();
  const FpGuard guard;
  double result = 0;
  with_sum(dtype, kernels, [&](auto& sum) {
    sum.add(static_cast<const std::byte*>(data), count);
    result = sum.take_mean(count);
  });
  FpGuard::settle(result);
  return result;
}

double mean(const void* data, DType dtype, std::uint64_t count) {
  return mean_with(best_kernels(), data, dtype, count);
}

double round_to_4(double value) noexcept {
  constexpr double scale = 10000;
  constexpr double sparse =
      0x1p39;           // from here on doubles are further apart than decimals, and stay as they are
  const FpGuard guard;  // even a comparison with a NaN may trap
  if (!(std::fabs(value) < sparse)) return value;
  FpGuard::settle(value);
  const double scaled = value * scale;
  const double lost = std::fma(value, scale, -scaled);  // scaled + lost is the product exactly
  double nearest = std::nearbyint(scaled);              // ties to even
  const double past = scaled - nearest;
  // A tie that is none: the product only became one by rounding, and what it lost says to which side.
  if (past == 0.5 && lost > 0) nearest += 1;
  if (past == -0.5 && lost < 0) nearest -= 1;
  double result = nearest / scale;  // both are exact, so this is the nearest double to the decimal
  FpGuard::settle(result);
  return result;
}

}  // namespace nodewise
