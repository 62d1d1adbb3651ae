// The machine that the seeds of tests/fuzz/corpus/plan are plans for.
#pragma once

#include <nodewise/topology.hpp>

namespace nodewise::test {

/// Four small nodes with holes in their numbering, the last without CPUs, the third not allowed.
inline Topology fuzz_machine() {
  MachineData data;
  const unsigned os_indices[] = {0, 1, 16, 17};
  for (unsigned index = 0; index < 4; ++index) {
    Node node;
    node.index = index;
    node.os_index = os_indices[index];
    node.memory_bytes = std::uint64_t{index + 1} << 14;
    node.allowed = index != 2;
    node.pools = {{256, 64, 0}, {4096, 4, 0}};
    if (index < 3) node.cpus = {2 * index, 2 * index + 1};
    if (index < 3) node.cores = {{2 * index}, {2 * index + 1}};
    node.allowed_cpus = node.cpus;
    data.nodes.push_back(node);
  }
  data.page_bytes = 256;
  data.origin = "the machine of the seeds";
  return Topology::from_data(data);
}

}  // namespace nodewise::test
