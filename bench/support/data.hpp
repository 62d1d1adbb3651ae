// What the benchmarks read: placed by nodewise, and the same bytes for everyone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include <nodewise/buffer.hpp>
#include <nodewise/team.hpp>

#include "support/rounds.hpp"

namespace bench {

/// The machine, asked once, before any thread was pinned.
const nodewise::Topology& machine();

/// As many workers as `threads`.
const nodewise::Team& team(unsigned threads);

/// A dataset in placed memory: floats of a standard normal distribution, integers of any value.
struct Dataset {
  nodewise::Plan plan;
  nodewise::Buffer buffer;
  const std::byte* data() const { return buffer.data(); }
  std::uint64_t bytes() const { return plan.total_bytes(); }
  std::uint64_t batch_elements() const {
    return plan.batch_bytes(0).bytes() / nodewise::dtype_bytes(plan.dtype());
  }
};

/// The last one asked for is kept for those who ask for the same, and only that one.
const Dataset& dataset(nodewise::DType dtype, std::uint64_t samples, std::uint64_t features,
                       std::uint64_t batch_size);

/// Which part of the dataset's bytes is local, asked of the kernel now, and the bytes of a page.
Figures residency(const Dataset& dataset);

/// Runs fn(thread) on threads pinned to the CPUs of team(threads), as a program would that pins its own.
void pinned(unsigned threads, const std::function<void(unsigned thread)>& fn);

/// Calls fn(T()) with the C++ type of `dtype`.
template <class Fn>
void with_type(nodewise::DType dtype, Fn fn) {
  using nodewise::DType;
  switch (dtype) {
    case DType::f64:
      return fn(double());
    case DType::f32:
      return fn(float());
    case DType::f16:
      return fn(nodewise::float16());
    case DType::bf16:
      return fn(nodewise::bfloat16());
    case DType::i64:
      return fn(std::int64_t());
    case DType::i32:
      return fn(std::int32_t());
    case DType::i16:
      return fn(std::int16_t());
    case DType::i8:
      return fn(std::int8_t());
    case DType::u64:
      return fn(std::uint64_t());
    case DType::u32:
      return fn(std::uint32_t());
    case DType::u16:
      return fn(std::uint16_t());
    case DType::u8:
      return fn(std::uint8_t());
  }
}

}  // namespace bench
