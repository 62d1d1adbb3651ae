#include "kernels/set.hpp"

#include "kernels/elements.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

template <class Element>
void squares(const void* data, size_t count, double mean, double* squares) {
  constexpr double unit = unit_of<Element>();
  Element element{};
  const auto* at = static_cast<const char*>(data);
  size_t i = 0;
  for (; i + vector_lanes <= count; i += vector_lanes, at += vector_lanes * Element::bytes) {
    const Doubles d = element.vector(at) * unit - mean;
    const Doubles q = d * d;
    memcpy(squares + i, &q, sizeof q);
  }
  for (; i < count; ++i, at += Element::bytes) {
    const double d = element.one(at) * unit - mean;
    squares[i] = d * d;
  }
}

// Knuth's TwoSum, twice: what the first one loses is added to the lower sum, and what the second one loses is
// recorded in `lost`.
NODEWISE_INLINE void add_exactly(Doubles q, Doubles& high, Doubles& low, Bits& lost) {
  const Doubles sum = high + q;
  const Doubles part = sum - high;
  const Doubles error = (high - (sum - part)) + (q - part);
  const Doubles lower = low + error;
  const Doubles lower_part = lower - low;
  const Doubles rest = (low - (lower - lower_part)) + (error - lower_part);
  lost |= reinterpret_cast<Bits>(rest) << 1;  // without signs
  high = sum;
  low = lower;
}

template <class Element>
bool add(const void* data, size_t count, double mean, double* sums) {
  constexpr double unit = unit_of<Element>();
  Element element{};
  const auto* at = static_cast<const char*>(data);
  Doubles high = load<Doubles>(reinterpret_cast<const char*>(sums));
  Doubles low = load<Doubles>(reinterpret_cast<const char*>(sums + vector_lanes));
  Bits lost{};
  for (; count >= vector_lanes; count -= vector_lanes, at += vector_lanes * Element::bytes) {
    prefetch(at, 1);
    const Doubles d = element.vector(at) * unit - mean;
    add_exactly(d * d, high, low, lost);
  }
  if (count > 0) {
    Doubles q{};
    for (size_t i = 0; i < count; ++i, at += Element::bytes) {
      const double d = element.one(at) * unit - mean;
      q[i] = d * d;
    }
    add_exactly(q, high, low, lost);
  }
  uint64_t all = 0;
  for (size_t i = 0; i < vector_lanes; ++i) all |= lost[i];
  if (all != 0) return false;
  memcpy(sums, &high, sizeof high);
  memcpy(sums + vector_lanes, &low, sizeof low);
  return true;
}

template <class... Each>
constexpr SquaresKernels kernels_of(Elements<Each...>) {
  return {{squares<Each>...}, {add<Each>...}, vector_lanes};
}

}  // namespace

constinit const SquaresKernels squares_kernels = kernels_of(AllElements{});

}  // namespace nodewise::NODEWISE_KERNELS
