// How accurate those are who compute the means of one case.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "../../tests/support/exact_reference.hpp"
#include "support/data.hpp"

namespace bench {

/// The greatest error of the means of the first batches, in units in the last place of the exact mean as a
/// double: 0 is rounded correctly. A few million elements are looked at, for exact means take their time;
/// they are computed once, for all ways.
template <class T>
class Errors {
 public:
  explicit Errors(std::function<const Dataset&()> set) : set_(std::move(set)) {}

  /// `mean(batch)` is the way's.
  template <class Mean>
  Figures of(Mean mean) {
    if (exact_.empty()) compute();
    double greatest = 0;
    for (std::uint64_t batch = 0; batch < exact_.size(); ++batch) {
      const double size = std::fabs(exact_[batch]);
      const double unit = std::nextafter(size, std::numeric_limits<double>::infinity()) - size;
      greatest = std::max(greatest, std::fabs(mean(batch) - exact_[batch]) / unit);
    }
    return {{"error", greatest}};
  }

 private:
  void compute() {
    constexpr std::uint64_t most_elements = 1 << 21, most_batches = 1000;
    const Dataset& set = set_();
    const std::uint64_t count = set.batch_elements();
    const std::uint64_t batches =
        std::clamp<std::uint64_t>(most_elements / count, 1, std::min(most_batches, set.plan.num_batches()));
    const auto* data = reinterpret_cast<const T*>(set.data());
    for (std::uint64_t batch = 0; batch < batches; ++batch)
      exact_.push_back(reference::mean(data + batch * count, count));
  }

  std::function<const Dataset&()> set_;
  std::vector<double> exact_;
};

}  // namespace bench
