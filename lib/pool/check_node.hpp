// Checks a node that a caller names.
#pragma once

#include <nodewise/error.hpp>
#include <nodewise/topology.hpp>

#include "base/text.hpp"

namespace nodewise {

/// Throws OutOfRange, which names `call`, if the topology has no node `node`.
inline void check_node(const char* call, unsigned node, const Topology& topology) {
  if (node >= topology.nodes().size())
    throw OutOfRange(base::text(call, ": node ", node, " does not exist; there are ", topology.nodes().size(),
                                ", counted from 0"));
}

}  // namespace nodewise
