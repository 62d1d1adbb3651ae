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
#include <nodewise/machine.hpp>

namespace nodewise {

/// An immutable description of a machine. Copies share it. Thread class: immutable.
class NODEWISE_PUBLIC Topology {
 public:
  /// This machine, disallowed objects included. Throws SystemError. Cost: tens of milliseconds.
  static Topology this_machine();
  /// From a file that `lstopo --of xml` of hwloc 2 or later wrote. Throws FormatError, SystemError.
  static Topology from_xml(const std::string& path);
  /// From an hwloc synthetic description, such as "pack:2 numa:2 core:4 pu:2". Throws FormatError.
  static Topology from_synthetic(const std::string& description);
  /// From parts, for tests and for callers that know the machine better. Throws InvalidArgument unless there
  /// is a node, indices are consecutive and kernel's numbers unique, a CPU is in one node at most, allowed
  /// CPUs and cores are among the node's CPUs, distances are none or nodes × nodes, devices and memory
  /// attributes name nodes that exist, the base page is a power of two, and no CPU or node has a number above
  /// 2^20.
  static Topology from_data(MachineData data);

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
  /// All nodes but `to`, by their distance to it, nearest first; of equal distances the lower logical index
  /// first. Where `to` has no CPUs, the first of these with CPUs should read its memory.
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
  /// "this machine", or the file or text that the topology was read from.
  const std::string& origin() const noexcept;
  /// Names the structure (nodes, CPUs, distances, base page), not the moment: 16 hexadecimal digits,
  /// stable across reboots, independent of the process's cpuset.
  const std::string& fingerprint() const noexcept;

 private:
  explicit Topology(std::shared_ptr<const MachineData> data);
  std::shared_ptr<const MachineData> data_;
};

}  // namespace nodewise
