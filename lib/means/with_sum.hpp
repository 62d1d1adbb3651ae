// Chooses the kind of sum for an element type.
#pragma once

#include <nodewise/dtype.hpp>

#include "base/number_kind.hpp"
#include "kernels/set.hpp"
#include "means/float_sum.hpp"
#include "means/integer_sum.hpp"

namespace nodewise {

/// Calls `fn` with the sum for `dtype`, which is a FloatSum or an IntegerSum.
template <class Fn>
void with_sum(DType dtype, const KernelSet& kernels, Fn fn) {
  if (base::number_kind(dtype) == base::NumberKind::floating) {
    FloatSum sum(dtype, kernels);
    return fn(sum);
  }
  IntegerSum sum(dtype, kernels);
  return fn(sum);
}

}  // namespace nodewise
