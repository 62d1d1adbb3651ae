// From a loaded hwloc topology to our own parts.
#pragma once

#include <hwloc.h>

#include <cstddef>
#include <vector>

#include <nodewise/machine.hpp>

namespace nodewise::os {

using Nodes = std::vector<Node>;

/// Nodes in the order of the kernel's numbers, devices, distances and memory attributes. `page_bytes` is the
/// base page where hwloc does not know it. `origin` and `is_this_machine` are left to the caller.
MachineData describe(hwloc_topology_t topology, std::size_t page_bytes);

/// By kind, then name.
std::vector<Device> describe_devices(hwloc_topology_t topology, Nodes& nodes);

IndexSet to_set(hwloc_const_bitmap_t bitmap);
/// Null where there is none.
Node* by_os_index(Nodes& nodes, unsigned os_index);

}  // namespace nodewise::os
