// Exact sums, one for each feature.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "means/exact_sum.hpp"

namespace nodewise {

/// A sum is the sum of two doubles. For the few features whose sum two doubles cannot hold, there is an
/// ExactSum in addition. Precondition of every call: there is a base::FpGuard. Thread class: value.
class FeatureSums {
 public:
  explicit FeatureSums(std::uint64_t features = 0) : high_(features), low_(features) {}

  /// Adds terms[i] to the sum of feature first + i.
  void add(std::uint64_t first, const double* terms, std::size_t count);
  void add(std::uint64_t feature, double term);
  void add(std::uint64_t feature, Int128 term);
  void add(std::uint64_t feature, const ExactSum& sum);
  void add(const FeatureSums& other);
  /// The sum divided by `count`, rounded once. Precondition: count > 0.
  double divided(std::uint64_t feature, std::uint64_t count) const;

 private:
  std::vector<double> high_;
  std::vector<double> low_;
  std::map<std::uint64_t, ExactSum> rest_;
};

}  // namespace nodewise
