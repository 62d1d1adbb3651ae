// The means of the batches of one run, which several workers compute in pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <nodewise/dataset.hpp>
#include <nodewise/stream.hpp>

#include "base/checked.hpp"
#include "kernels/set.hpp"
#include "means/exact_sum.hpp"
#include "means/short_batches.hpp"

namespace nodewise {

/// The exact sum of a part of a batch; other workers have its other parts.
struct PartialSum {
  std::uint64_t batch = 0;
  ExactSum sum;
};

/// Elements are counted from the first element of the run. Precondition of every call: there is a
/// base::FpGuard. Thread class: any thread, for disjoint pieces.
class RunMeans {
 public:
  /// `values` has room for all batches of the dataset. Precondition: the run and `values` outlive this.
  RunMeans(const Dataset& dataset, const BatchLease& run, double* values)
      : data_(run.data()),
        dtype_(dataset.dtype()),
        element_bytes_(dtype_bytes(dtype_)),
        first_batch_(run.batches().start),
        batch_elements_(dataset.most_batch_bytes() / element_bytes_),
        elements_(dataset.bytes(run.batches()).bytes() / element_bytes_),
        values_(values + first_batch_) {}

  std::uint64_t elements() const noexcept { return elements_; }

  /// Computes the means of batches that lie completely in `elements`. Adds the sums of other batches' parts
  /// to `partial_sums`.
  template <class Sum>
  void add_piece(const base::Range& elements, std::vector<PartialSum>& partial_sums, Sum& sum,
                 const KernelSet& kernels) const {
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
      const std::uint64_t number = first_batch_ + batch;
      if (partial_sums.empty() || partial_sums.back().batch != number) partial_sums.push_back({number, {}});
      partial_sums.back().sum.add(sum.take_sum());
    }
  }

 private:
  // The elements of a batch, whose number is counted from the first batch of the run.
  base::Range batch_range(std::uint64_t batch) const {
    const std::uint64_t begin = batch * batch_elements_;
    return {begin, begin + std::min(batch_elements_, elements_ - begin)};
  }

  // Computes the means of all batches that lie completely in `elements`, if they are short. Returns where
  // these end.
  template <class Sum>
  std::uint64_t add_short_batches(const base::Range& elements, Sum& sum, const KernelSet& kernels) const {
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
  void add_batch(std::uint64_t batch, Sum& sum) const {
    const base::Range elements = batch_range(batch);
    sum.add(data_ + elements.begin * element_bytes_, elements.size());
    values_[batch] = sum.take_mean(elements.size());
  }

  const std::byte* data_;
  DType dtype_;
  std::uint64_t element_bytes_;
  std::uint64_t first_batch_;
  std::uint64_t batch_elements_;
  std::uint64_t elements_;
  double* values_;  // begins with the first batch of the run
};

}  // namespace nodewise
