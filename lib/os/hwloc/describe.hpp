// Converts a loaded hwloc topology to the library's own data.
#pragma once

#include <hwloc.h>

#include <cstddef>
#include <vector>

#include <nodewise/machine.hpp>

namespace nodewise::os {

using Nodes = std::vector<Node>;

/// Nodes in the order of the kernel's numbers, devices, distances and memory attributes. `page_bytes` is used
/// as the base page if hwloc does not know it. The caller sets `origin` and `is_this_machine`.
MachineData describe(hwloc_topology_t topology, std::size_t page_bytes);

/// Ordered by kind, then by name.
std::vector<Device> describe_devices(hwloc_topology_t topology, Nodes& nodes);

IndexSet to_set(hwloc_const_bitmap_t bitmap);
/// Null if there is no such node.
Node* by_os_index(Nodes& nodes, unsigned os_index);

}  // namespace nodewise::os
