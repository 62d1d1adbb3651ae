// How many batches each shard gets. This computes with integers only, so that a plan is the same on every
// machine and in every rounding mode.
#include <bit>
#include <numeric>

#include <nodewise/error.hpp>
#include <nodewise/expects.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "plan/parts.hpp"

namespace nodewise {
namespace {

using base::text;

constexpr std::uint64_t exponent_mask = 0x7FF;
constexpr unsigned mantissa_bits = 52;

/// A finite double ≥ 0 is mantissa × 2^(exponent - 1075).
struct Binary {
  std::uint64_t mantissa;
  unsigned exponent;
};

Binary binary(double value) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto field = static_cast<unsigned>(bits >> mantissa_bits & exponent_mask);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << mantissa_bits) - 1);
  if (field == 0) return {fraction, 1};  // a subnormal, or zero
  return {fraction | std::uint64_t{1} << mantissa_bits, field};
}

/// The bits of a number without its sign; they are ordered as magnitudes are. Only for an assertion.
[[maybe_unused]] std::uint64_t magnitude(double value) noexcept {
  return std::bit_cast<std::uint64_t>(value) << 1;
}

/// value × 2^k, rounded down, where k brings `largest` into [2^40, 2^41). Because the factor is a power of
/// two, integers below 2^41 keep their exact proportions. Preconditions: 0 ≤ value ≤ largest, largest > 0.
std::uint64_t scaled(double value, double largest) noexcept {
  NODEWISE_EXPECTS(magnitude(value) <= magnitude(largest) && magnitude(largest) != 0);
  const Binary a = binary(value);
  const Binary b = binary(largest);  // its exponent is not smaller, because doubles are ordered by exponents
  const int width = static_cast<int>(std::bit_width(b.mantissa));
  const int right = width - 41 + static_cast<int>(b.exponent - a.exponent);
  if (right >= 64) return 0;
  return right >= 0 ? a.mantissa >> right : a.mantissa << -right;
}

/// Looks at the bits, because a comparison would treat subnormals as 0 if the caller has set flush-to-zero.
bool is_weight(double value) noexcept {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const bool finite = (bits >> mantissa_bits & exponent_mask) != exponent_mask;
  const bool negative = bits >> 63 != 0 && bits << 1 != 0;
  return finite && !negative;
}

std::vector<std::uint64_t> given_weights(const std::vector<double>& given, std::size_t targets) {
  if (given.size() != targets)
    throw InvalidArgument(text("Plan: weights given: ", given.size(), ", target nodes: ", targets,
                               "; give one weight for each node, in the order of the targets"));
  double largest = 0;
  for (std::size_t index = 0; index < given.size(); ++index) {
    if (!is_weight(given[index]))
      throw InvalidArgument(
          text("Plan: weight ", index, " is ", given[index], "; weights are finite numbers from 0 up"));
    const double value = std::bit_cast<std::uint64_t>(given[index]) << 1 == 0 ? 0.0 : given[index];
    // Doubles that are not negative are ordered as their bits are.
    if (std::bit_cast<std::uint64_t>(value) > std::bit_cast<std::uint64_t>(largest)) largest = value;
  }
  std::vector<std::uint64_t> weights;
  if (std::bit_cast<std::uint64_t>(largest) == 0) return std::vector<std::uint64_t>(targets, 0);
  weights.reserve(targets);
  for (const double value : given) weights.push_back(scaled(value, largest));
  return weights;
}

std::uint64_t weight_of(const Node& node, Weights weights) noexcept {
  switch (weights) {
    case Weights::cpus:
      return node.allowed_cpus.size();
    case Weights::capacity:
      return node.memory_bytes;
    case Weights::equal:
    case Weights::given:
      break;
  }
  return 1;
}

/// What an error says if every weight is 0.
std::string_view nothing_to_weigh(Weights weights) noexcept {
  switch (weights) {
    case Weights::cpus:
      return "no target node has an allowed CPU; use other weights, or name nodes with CPUs";
    case Weights::capacity:
      return "no target node has memory that is known; use other weights, or name nodes with memory";
    case Weights::equal:
    case Weights::given:
      break;
  }
  return "given_weights are all 0; at least one must be more";
}

}  // namespace

std::vector<std::uint64_t> plan_weights(const Topology& topology, const std::vector<unsigned>& targets,
                                        const PlanOptions& options) {
  if (options.weights != Weights::given && !options.given_weights.empty())
    throw InvalidArgument(text("Plan: given_weights are set and weights are `", to_string(options.weights),
                               "`; set weights to `given`, or leave given_weights empty"));
  std::vector<std::uint64_t> weights;
  if (options.weights == Weights::given)
    weights = given_weights(options.given_weights, targets.size());
  else
    for (const unsigned target : targets)
      weights.push_back(weight_of(topology.node(target), options.weights));
  std::uint64_t sum = 0;
  for (const std::uint64_t weight : weights) {
    const auto larger = base::checked_add(sum, weight);
    if (!larger)
      throw InvalidArgument(text("Plan: the target nodes' memory adds up to more than 2^64 bytes (", sum,
                                 " + ", weight, "); weights by capacity cannot be formed"));
    sum = *larger;
  }
  if (sum == 0) throw InvalidArgument(text("Plan: ", nothing_to_weigh(options.weights)));
  return weights;
}

// With n equal weights and N batches, shard i gets floor((i + 1) N / n) - floor(i N / n) batches, which is
// floor(N / n) or ceil(N / n). The last shard gets N - floor(N - N / n) = ceil(N / n) batches; so it is empty
// only if there are no batches, and it contains the last batch, which is the only one that may be short. Its
// bytes are more than those of ceil(N / n) - 1 full batches, and at most those of ceil(N / n) full batches.
// Every other shard has exactly floor(N / n) or ceil(N / n) full batches (all have N / n if n divides N). So
// no two shards differ by more than the bytes of one batch.
std::vector<std::uint64_t> partition(std::uint64_t num_batches, const std::vector<std::uint64_t>& weights) {
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  std::vector<std::uint64_t> ends;
  ends.reserve(weights.size());
  std::uint64_t sum = 0;
  for (const std::uint64_t weight : weights) {
    sum += weight;
    ends.push_back(base::mul_div(num_batches, sum, total));
  }
  return ends;
}

}  // namespace nodewise
