// The plain data of a machine: its NUMA nodes, their CPUs, memory and pages, distances and devices. The data
// comes from the system, a file or a test. Topology (topology.hpp) checks it and answers questions about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/export.hpp>
#include <nodewise/index_set.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// The pages of one size on a node: base pages, or a pool of huge pages.
struct PagePool {
  std::size_t page_bytes = 0;
  std::uint64_t total_pages = 0;
  std::uint64_t free_pages = 0;  ///< When the topology was made; 0 for base pages and for other machines.
};

/// One NUMA node.
struct Node {
  /// Logical index: the position in Topology::nodes(). Topologies of this library list nodes in the order of
  /// the kernel's numbers; from_data() accepts any order.
  unsigned index = 0;
  unsigned os_index = 0;        ///< The kernel's number.
  IndexSet cpus;                ///< The kernel's numbers of its CPUs, allowed or not; empty if it has none.
  IndexSet allowed_cpus;        ///< The CPUs among them that this process's cpuset allows.
  std::vector<IndexSet> cores;  ///< Its physical cores, each as a set of CPUs (the kernel's numbers).
  std::uint64_t memory_bytes = 0;  ///< 0 for a node without memory.
  /// Free or cheaply reclaimable, when the topology was made; 0 for other machines.
  std::uint64_t free_bytes = 0;
  bool allowed = true;          ///< Whether this process's cpuset allows memory of this node.
  bool memory_unknown = false;  ///< The topology does not state the memory; memory_bytes is 0.
  std::vector<PagePool> pools;  ///< In ascending order of page size.
  /// Whether the node has memory; true if that is unknown.
  bool has_memory() const noexcept { return memory_bytes > 0 || memory_unknown; }
};

/// A device, and the node that is nearest to it.
struct Device {
  enum class Kind : unsigned char { gpu, nic, nvme, other };
  Kind kind = Kind::other;
  std::string name;              ///< "eth0", "nvme0n1"; the PCI address of a GPU, "0000:3b:00.0".
  std::string description;       ///< Vendor and model, if known.
  std::optional<unsigned> node;  ///< Logical index of the nearest node, if known.
};
NODEWISE_PUBLIC std::string_view to_string(Device::Kind kind) noexcept;

/// A memory attribute that firmware or kernel states: it holds from the CPUs of node `from` to the memory of
/// node `to` (logical indices).
struct MemoryAttribute {
  std::string name;  ///< "Bandwidth" (MiB/s), "Latency" (ns), or their Read and Write variants.
  unsigned from = 0;
  unsigned to = 0;
  std::uint64_t value = 0;
};

/// What a topology is made of.
struct MachineData {
  std::vector<Node> nodes;
  std::vector<unsigned> distances;  ///< nodes × nodes, row by row; empty if the firmware states none.
  std::vector<Device> devices;
  std::vector<MemoryAttribute> memory_attributes;
  std::size_t page_bytes = 4096;
  std::optional<double> cpu_quota;
  bool is_this_machine = false;
  std::string origin;
  std::string fingerprint;  ///< Computed by Topology::from_data.
};

}  // namespace nodewise
