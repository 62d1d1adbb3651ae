// What the machine is: NUMA nodes, their CPUs, memory, pages, distances and devices.
//
// Nodes are named by their logical index everywhere in the API; the kernel's number (`os_index`) is kept
// beside it for messages, files and the kernel itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nodewise/export.hpp>
#include <nodewise/index_set.hpp>

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
  enum class Kind { gpu, nic, nvme, other };
  Kind kind = Kind::other;
  std::string name;              ///< "eth0", "nvme0n1"; a GPU's PCI address, "0000:3b:00.0".
  std::string description;       ///< Vendor and model, where known.
  std::optional<unsigned> node;  ///< Logical index of the nearest node, where the machine says.
};

/// A memory attribute as firmware or kernel states it, from the CPUs of one node to the memory of another.
struct MemoryAttribute {
  std::string name;  ///< "Bandwidth" (MiB/s), "Latency" (ns), and their Read/Write variants.
  unsigned from = 0;
  unsigned to = 0;
  std::uint64_t value = 0;
};

/// An immutable description of a machine. Copies share it. Thread class: immutable.
class NODEWISE_PUBLIC Topology {
 public:
  struct Data;

  /// This machine, disallowed objects included. Throws SystemError. Cost: tens of milliseconds.
  static Topology this_machine();
  /// From a file that `lstopo --of xml` of hwloc 2 or later wrote. Throws FormatError, SystemError.
  static Topology from_xml(const std::string& path);
  /// From an hwloc synthetic description, such as "pack:2 numa:2 core:4 pu:2". Throws FormatError.
  static Topology from_synthetic(const std::string& description);
  /// From parts, for tests and for callers who know better. Throws InvalidArgument unless there is a node,
  /// indices are consecutive and kernel's numbers unique, a CPU is in one node at most, allowed CPUs and
  /// cores are among the node's CPUs, distances are none or nodes × nodes, devices and memory attributes name
  /// nodes that exist, the base page is a power of two, and no CPU or node has a number above 2^20.
  static Topology from_data(Data data);

  std::span<const Node> nodes() const& noexcept;
  std::span<const Node> nodes() const&& = delete;  // it would outlive the topology
  /// Throws OutOfRange.
  const Node& node(unsigned index) const;
  /// The node with the kernel's number `os_index`, if there is one.
  std::optional<unsigned> node_of_os_index(unsigned os_index) const noexcept;
  /// The node that CPU `cpu` (kernel's number) belongs to, if any.
  std::optional<unsigned> node_of_cpu(unsigned cpu) const noexcept;
  /// Distance as the firmware states it (10 is local), or 10 and 20 where it is silent. Ordinal, no unit.
  unsigned distance(unsigned from, unsigned to) const;
  /// Nodes other than `to`, by the distance from them to it, nearest first; ties by logical index. So the
  /// first with CPUs should read its memory, where it has none.
  std::vector<unsigned> nearest(unsigned to) const;
  /// Nodes with allowed CPUs and allowed memory: where a plan puts data unless told otherwise.
  std::vector<unsigned> default_targets() const;

  std::size_t page_bytes() const noexcept;  ///< The base page.
  std::span<const Device> devices() const& noexcept;
  std::span<const Device> devices() const&& = delete;  // it would outlive the topology
  std::span<const MemoryAttribute> memory_attributes() const& noexcept;
  std::span<const MemoryAttribute> memory_attributes() const&& = delete;  // it would outlive the topology
  /// CPUs' worth of time that the control group grants, where it limits them.
  std::optional<double> cpu_quota() const noexcept;
  /// False for a topology that describes another machine: it can be planned for, not allocated on.
  bool is_this_machine() const noexcept;
  /// "this machine", or the file or text it came from.
  const std::string& origin() const noexcept;
  /// Names the structure (nodes, CPUs, distances, base page), not the moment: 16 hexadecimal digits,
  /// stable across reboots, independent of the process's cpuset.
  const std::string& fingerprint() const noexcept;

 private:
  explicit Topology(std::shared_ptr<const Data> data);
  std::shared_ptr<const Data> data_;
};

/// The plain parts of a topology.
struct Topology::Data {
  std::vector<Node> nodes;
  std::vector<unsigned> distances;  ///< nodes × nodes, row by row; empty where the firmware is silent.
  std::vector<Device> devices;
  std::vector<MemoryAttribute> memory_attributes;
  std::size_t page_bytes = 4096;
  std::optional<double> cpu_quota;
  bool is_this_machine = false;
  std::string origin;
  std::string fingerprint;  ///< Computed by from_data.
};

}  // namespace nodewise
