#include "squares_kernel.hpp"

#include "kernel_elements.hpp"

namespace nodewise::NODEWISE_KERNELS {
namespace {

// What a reader's doubles are to be multiplied by.
template <class Element>
struct UnitOf {
  static constexpr double value = 1;
};
template <>
struct UnitOf<F16> {
  static constexpr double value = F16::unit;
};

template <class Element>
void squares(const void* data, size_t count, double mean, double* squares) {
  constexpr double unit = UnitOf<Element>::value;
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

}  // namespace

const SquaresKernels squares_kernels = {
    {squares<F64>, squares<F32>, squares<F16>, squares<Bf16>, squares<Number<int64_t>>,
     squares<Number<int32_t>>, squares<Number<int16_t>>, squares<Number<int8_t>>, squares<Number<uint64_t>>,
     squares<Number<uint32_t>>, squares<Number<uint16_t>>, squares<Number<uint8_t>>},
};

}  // namespace nodewise::NODEWISE_KERNELS
