// The plain description of a machine: its NUMA nodes, their CPUs, memory and pages, distances and devices.
// The system is asked for it, tests make it up, and Topology answers questions about it.
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

/// Pages of one size that a node has set aside; base pages are among them.
struct PagePool {
  std::size_t page_bytes = 0;
  std::uint64_t total_pages = 0;
  std::uint64_t free_pages = 0;  ///< At loading time; 0 for base pages and on foreign topologies.
};

/// One NUMA node.
struct Node {
  unsigned index = 0;              ///< Logical index: its position in Topology::nodes(), which is in the
                                   ///< order of the kernel's numbers unless from_data was told otherwise.
  unsigned os_index = 0;           ///< The kernel's number.
  IndexSet cpus;                   ///< Kernel numbers of its CPUs, allowed or not; empty: a memory-only node.
  IndexSet allowed_cpus;           ///< Those among them that this process's cpuset allows.
  std::vector<IndexSet> cores;     ///< Its physical cores, as sets of CPUs (kernel numbers).
  std::uint64_t memory_bytes = 0;  ///< 0: a node without memory.
  std::uint64_t free_bytes = 0;    ///< Free or cheaply reclaimed, at loading time; 0 on foreign topologies.
  bool allowed = true;             ///< Whether this process's cpuset lets it allocate here.
  std::vector<PagePool> pools;     ///< Page sizes, ascending.
};

/// A device that sits near a node.
struct Device {
  enum class Kind : unsigned char { gpu, nic, nvme, other };
  Kind kind = Kind::other;
  std::string name;              ///< "eth0", "nvme0n1"; a GPU's PCI address, "0000:3b:00.0".
  std::string description;       ///< Vendor and model, where known.
  std::optional<unsigned> node;  ///< Logical index of the nearest node, where the machine says.
};
NODEWISE_PUBLIC std::string_view to_string(Device::Kind kind) noexcept;

/// A memory attribute as firmware or kernel states it, from the CPUs of one node to the memory of another.
struct MemoryAttribute {
  std::string name;  ///< "Bandwidth" (MiB/s), "Latency" (ns), and their Read/Write variants.
  unsigned from = 0;
  unsigned to = 0;
  std::uint64_t value = 0;
};

/// The plain parts of a topology: what the system says of a machine, or a test makes up.
struct MachineData {
  std::vector<Node> nodes;
  std::vector<unsigned> distances;  ///< nodes × nodes, row by row; empty where the firmware is silent.
  std::vector<Device> devices;
  std::vector<MemoryAttribute> memory_attributes;
  std::size_t page_bytes = 4096;
  std::optional<double> cpu_quota;
  bool is_this_machine = false;
  std::string origin;
  std::string fingerprint;  ///< Computed by Topology::from_data.
};

}  // namespace nodewise
