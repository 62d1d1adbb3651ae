// Tests that need a machine of several nodes.
#pragma once

#include <cstddef>

#include <nodewise/topology.hpp>

#include "support/skip.hpp"

namespace nodewise::test {

inline std::size_t number_of_nodes() {
  const auto topology = Topology::this_machine();
  return topology.nodes().size();
}

}  // namespace nodewise::test

/// Leaves the test case where this machine has one node.
#define NEEDS_TWO_NODES()                    \
  if (nodewise::test::number_of_nodes() < 2) \
  NODEWISE_SKIP("this machine has one NUMA node; tests/machines runs this on machines of many")
