// How large a described machine may be. hwloc takes minutes for much larger ones, and says nothing meanwhile.
#pragma once

#include <cstddef>

namespace nodewise::os {

/// The most that Linux can be built for on x86-64 (NR_CPUS, NODES_SHIFT).
inline constexpr unsigned most_cpus = 8192;
inline constexpr unsigned most_nodes = 1024;
inline constexpr char beyond_linux[] = ", which is more than Linux supports";
/// Elements of an XML file within one another. Machines have less than thirty.
inline constexpr std::size_t most_levels = 128;

}  // namespace nodewise::os
