// The C++ types of the element types, for tests and benchmarks.
#pragma once

#include <cstdint>
#include <tuple>

#include <nodewise/dtype.hpp>

namespace nodewise::test {

using ElementTypes = std::tuple<double, float, float16, bfloat16, std::int64_t, std::int32_t, std::int16_t,
                                std::int8_t, std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>;
static_assert(std::tuple_size_v<ElementTypes> == dtype_count, "each element type has a C++ type");

/// Calls fn(T()) with T the C++ type of `dtype`.
template <class Fn>
void with_type(DType dtype, Fn fn) {
  const auto called = [&](auto element) {
    if (dtype_of<decltype(element)> != dtype) return false;
    fn(element);
    return true;
  };
  std::apply([&](auto... each) { (called(each) || ...); }, ElementTypes());
}

}  // namespace nodewise::test
