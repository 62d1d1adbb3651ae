// How much memory this process may still use, for callers that have no topology.
#pragma once

#include <nodewise/allowance.hpp>

namespace nodewise {

/// As allowance_now(), without a look at the nodes of the cpuset.
std::optional<Allowance> system_allowance_now();

}  // namespace nodewise
