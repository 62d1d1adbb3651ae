// A topology describes a machine: its NUMA nodes with their CPUs, memory and pages; the distances between
// nodes; and its devices.
//
// The API names a node by its logical index, which counts from 0. The kernel has a number of its own for each
// node, `os_index`, which appears in messages and files.
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

/// An immutable description of a machine. Copies share the description. Thread class: immutable.
class NODEWISE_PUBLIC Topology {
 public:
  /// Describes this machine, including CPUs and nodes that this process may not use. Throws SystemError.
  /// Throws FormatError if an environment variable of hwloc, such as HWLOC_XMLFILE, names a description of
  /// another machine that cannot be read. Cost: tens of milliseconds.
  static Topology this_machine();
  /// Reads an XML file of hwloc 2 or later, such as `lstopo --of xml` writes. Throws FormatError,
  /// SystemError.
  static Topology from_xml(const std::string& path);
  /// Reads an hwloc synthetic description, such as "pack:2 numa:2 core:4 pu:2". Throws FormatError.
  static Topology from_synthetic(const std::string& description);
  /// Takes a description that the caller made, for example in a test. Throws InvalidArgument unless all of
  /// this holds: there is a node; logical indices are consecutive; the kernel's numbers of nodes are unique;
  /// no CPU is in two nodes; allowed CPUs and cores are among the CPUs of their node; the number of distances
  /// is 0 or the square of the number of nodes; devices and memory attributes name existing nodes; the base
  /// page is a power of two; no number of a CPU or node exceeds 2^20.
  static Topology from_data(MachineData data);

  std::span<const Node> nodes() const& noexcept;
  std::span<const Node> nodes() const&& = delete;  // the span would outlive the topology
  /// Throws OutOfRange.
  const Node& node(unsigned index) const;
  /// The logical index of the node with the kernel's number `os_index`, if there is one.
  std::optional<unsigned> node_of_os_index(unsigned os_index) const noexcept;
  /// The logical index of the node that CPU `cpu` (the kernel's number) belongs to, if there is one.
  std::optional<unsigned> node_of_cpu(unsigned cpu) const noexcept;
  /// The distance that the firmware states; a node's distance to itself is usually 10. If the firmware states
  /// none: 10 for the node itself, 20 for others. Distances have no unit and can only be compared. Throws
  /// OutOfRange.
  unsigned distance(unsigned from, unsigned to) const;
  /// All other nodes, ordered by their distance to `to`, nearest first, and then by logical index. If `to`
  /// has no CPUs, the first node in the result that has CPUs should read the memory of `to`. Throws
  /// OutOfRange.
  std::vector<unsigned> nearest(unsigned to) const;
  /// The nodes that have CPUs and memory that this process may use. If there is none: the nodes with memory
  /// that are nearest to this process's CPUs. A plan uses these nodes unless it is given others.
  std::vector<unsigned> default_targets() const;

  std::size_t page_bytes() const noexcept;  ///< The size of a base page.
  std::span<const Device> devices() const& noexcept;
  std::span<const Device> devices() const&& = delete;  // the span would outlive the topology
  std::span<const MemoryAttribute> memory_attributes() const& noexcept;
  // The span would outlive the topology.
  std::span<const MemoryAttribute> memory_attributes() const&& = delete;
  /// The CPU time that the control group allows, as a number of CPUs, such as 1.5. Empty if there is no
  /// limit.
  std::optional<double> cpu_quota() const noexcept;
  /// False if another machine is described. A plan can be made for that machine, but no memory can be placed.
  bool is_this_machine() const noexcept;
  /// Where the description came from: "this machine", or the file or text that was read.
  const std::string& origin() const noexcept;
  /// Identifies the structure of the machine (nodes, CPUs, distances, base page) by 16 hexadecimal digits. It
  /// does not change when the machine restarts, and does not depend on the process's cpuset.
  const std::string& fingerprint() const noexcept;

 private:
  explicit Topology(std::shared_ptr<const MachineData> data);
  std::shared_ptr<const MachineData> data_;
};

}  // namespace nodewise
