// What the benchmarks read: placed by nodewise, and the same bytes for everyone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <nodewise/buffer.hpp>
#include <nodewise/team.hpp>

#include "../../tests/support/with_type.hpp"
#include "support/rounds.hpp"

namespace bench {

/// The machine, asked once, before any thread was pinned.
const nodewise::Topology& machine();

/// Physical cores that there are workers for.
unsigned cores();

/// As many workers as `threads`, by default one for each core. Displaced ones read what lies on the next
/// node.
const nodewise::Team& team(unsigned threads, bool displaced = false);

/// A dataset in placed memory: floats of a standard normal distribution, integers of any value.
struct Dataset {
  nodewise::Plan plan;
  nodewise::Buffer buffer;
  const std::byte* data() const { return buffer.data(); }
  std::uint64_t bytes() const { return plan.dataset().total_bytes(); }
  std::uint64_t batch_elements() const {
    return plan.dataset().most_batch_bytes() / nodewise::dtype_bytes(plan.dataset().dtype());
  }
};

/// The last one asked for is kept for those who ask for the same, and only that one.
const Dataset& dataset(nodewise::DType dtype, std::uint64_t samples, std::uint64_t features,
                       std::uint64_t batch_size, const nodewise::PlanOptions& options = {});

/// Which part of the bytes its readers have on their own nodes, asked of the kernel now, and whether pages
/// are huge. Computes the means once, to see who reads what.
Figures residency(const nodewise::Buffer& buffer, const nodewise::Team& readers);

/// Runs fn(thread) on threads pinned to the CPUs of team(threads), as a program would that pins its own.
void pinned(unsigned threads, const std::function<void(unsigned thread)>& fn);

using nodewise::test::with_type;

}  // namespace bench
