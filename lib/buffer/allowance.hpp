// How much memory this process may still take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nodewise/topology.hpp>

namespace nodewise {

/// What the whole machine, the allowed nodes or the control groups above this process still grant, and which
/// of them says so: the least of all.
struct Allowance {
  std::uint64_t bytes = 0;
  std::string from;
};
/// Nothing where none of them says anything.
std::optional<Allowance> allowance_now(const Topology& topology);

}  // namespace nodewise
