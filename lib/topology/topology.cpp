#include <nodewise/topology.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>
#include <utility>

#include <nodewise/error.hpp>

#include "base/fnv.hpp"
#include "base/text.hpp"
#include "os/hwloc/topology.hpp"
#include "os/moment.hpp"
#include "os/os.hpp"

namespace nodewise {

std::string_view to_string(Device::Kind kind) noexcept {
  switch (kind) {
    case Device::Kind::gpu:
      return "gpu";
    case Device::Kind::nic:
      return "nic";
    case Device::Kind::nvme:
      return "nvme";
    case Device::Kind::other:
      return "other";
  }
  return {};
}

namespace {

constexpr unsigned local_distance = 10;
constexpr unsigned remote_distance = 20;
// The largest number of a CPU or node that IndexSet::parse accepts.
constexpr unsigned largest_number = 1U << 20;

template <class... Pieces>
void require(bool condition, const Pieces&... pieces) {
  if (!condition) throw InvalidArgument(base::text("topology: ", pieces...));
}

bool is_subset(const IndexSet& part, const IndexSet& whole) {
  return (part & whole) == part;
}

bool below_limit(const IndexSet& set) {
  const auto members = set.indices();
  return members.empty() || members.back() <= largest_number;
}

void check_node(const Node& node, std::size_t position) {
  require(node.index == position, "the node at position ", position, " has index ", node.index);
  require(node.os_index <= largest_number && below_limit(node.cpus), "node ", node.os_index,
          " or one of its CPUs has a number above ", largest_number);
  require(is_subset(node.allowed_cpus, node.cpus), "allowed CPUs ", node.allowed_cpus.to_string(),
          " of node ", node.os_index, " are not all among its CPUs ", node.cpus.to_string());
  for (const IndexSet& core : node.cores)
    require(is_subset(core, node.cpus), "core ", core.to_string(), " of node ", node.os_index,
            " is not within its CPUs ", node.cpus.to_string());
}

void check_nodes(const std::vector<Node>& nodes) {
  require(!nodes.empty(), "there is no node");
  IndexSet os_indices;
  IndexSet cpus;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    check_node(node, i);
    require(!os_indices.contains(node.os_index), "two nodes have the kernel's number ", node.os_index);
    const IndexSet shared = cpus & node.cpus;
    require(shared.empty(), "CPUs ", shared.to_string(), " of node ", node.os_index,
            " belong to another node too");
    os_indices.insert(node.os_index);
    cpus |= node.cpus;
  }
}

void check(const MachineData& data) {
  check_nodes(data.nodes);
  const std::size_t count = data.nodes.size();
  require(data.distances.empty() || data.distances.size() == count * count, count, " nodes need ",
          count * count, " distances or none, not ", data.distances.size());
  require(std::has_single_bit(data.page_bytes), "the base page of ", data.page_bytes,
          " bytes is not a power of two");
  for (const Device& device : data.devices)
    require(!device.node || *device.node < count, "device ", device.name, " is near node ",
            device.node.value_or(0), " of ", count);
  for (const MemoryAttribute& attribute : data.memory_attributes)
    require(attribute.from < count && attribute.to < count, attribute.name, " from node ", attribute.from,
            " to node ", attribute.to, " of ", count);
}

unsigned distance_in(const MachineData& data, unsigned from, unsigned to) {
  if (!data.distances.empty()) return data.distances[from * data.nodes.size() + to];
  return from == to ? local_distance : remote_distance;
}

std::string hexadecimal(std::uint64_t number) {
  std::string digits(16, '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, number >>= 4)
    *digit = "0123456789abcdef"[number & 15];
  return digits;
}

// docs/topology.md defines the text that is hashed.
std::string fingerprint_of(const MachineData& data) {
  std::vector<const Node*> nodes;
  for (const Node& node : data.nodes) nodes.push_back(&node);
  std::sort(nodes.begin(), nodes.end(), [](auto a, auto b) { return a->os_index < b->os_index; });
  std::string text = base::text("nodewise.topology/1\npage ", data.page_bytes, '\n');
  for (const Node* from : nodes) {
    text += base::text("node ", from->os_index, " cpus ", from->cpus.to_string(), " memory ",
                       from->has_memory() ? "yes" : "no", " distances");
    for (const Node* to : nodes) text += base::text(' ', distance_in(data, from->index, to->index));
    text += '\n';
  }
  return hexadecimal(base::fnv1a(text));
}

bool may_hold_data(const Node& node) {
  return node.allowed && node.has_memory();
}

// The nodes of which data is least far from the CPUs that this process may use, if no node has both.
std::vector<unsigned> targets_without_cpus(const MachineData& data) {
  std::set<unsigned> targets;
  for (const Node& reader : data.nodes) {
    if (reader.allowed_cpus.empty()) continue;
    unsigned shortest = std::numeric_limits<unsigned>::max();
    for (const Node& node : data.nodes)
      if (may_hold_data(node)) shortest = std::min(shortest, distance_in(data, reader.index, node.index));
    for (const Node& node : data.nodes)
      if (may_hold_data(node) && distance_in(data, reader.index, node.index) == shortest)
        targets.insert(node.index);
  }
  return {targets.begin(), targets.end()};
}

// If a file or description contradicts itself, its format is wrong, and not an argument of the caller.
Topology from_text(MachineData (*read)(const std::string&), const std::string& source) {
  auto data = read(source);
  try {
    return Topology::from_data(std::move(data));
  } catch (const InvalidArgument& error) {
    throw FormatError(base::text(source, ": ", error.what()));
  }
}

}  // namespace

Topology::Topology(std::shared_ptr<const MachineData> data) : data_(std::move(data)) {}

Topology Topology::this_machine() {
  auto machine = os::current().this_machine();
  if (!machine.ok()) throw SystemError("Topology::this_machine", machine.error);
  if (machine.value.is_this_machine) os::read_moment(machine.value);
  return from_data(std::move(machine.value));
}

Topology Topology::from_xml(const std::string& path) {
  return from_text(os::hwloc_xml, path);
}

Topology Topology::from_synthetic(const std::string& description) {
  return from_text(os::hwloc_synthetic, description);
}

Topology Topology::from_data(MachineData data) {
  check(data);
  data.fingerprint = fingerprint_of(data);
  return Topology(std::make_shared<const MachineData>(std::move(data)));
}

std::span<const Node> Topology::nodes() const& noexcept {
  return data_->nodes;
}

const Node& Topology::node(unsigned index) const {
  if (index >= data_->nodes.size())
    throw OutOfRange(
        base::text("Topology::node: node ", index, " of ", data_->nodes.size(), " (", data_->origin, ")"));
  return data_->nodes[index];
}

std::optional<unsigned> Topology::node_of_os_index(unsigned os_index) const noexcept {
  for (const Node& node : data_->nodes)
    if (node.os_index == os_index) return node.index;
  return std::nullopt;
}

std::optional<unsigned> Topology::node_of_cpu(unsigned cpu) const noexcept {
  for (const Node& node : data_->nodes)
    if (node.cpus.contains(cpu)) return node.index;
  return std::nullopt;
}

unsigned Topology::distance(unsigned from, unsigned to) const {
  return distance_in(*data_, node(from).index, node(to).index);
}

std::vector<unsigned> Topology::nearest(unsigned to) const {
  std::vector<unsigned> others;
  for (const Node& other : data_->nodes)
    if (other.index != node(to).index) others.push_back(other.index);
  std::stable_sort(others.begin(), others.end(), [this, to](unsigned a, unsigned b) {
    return distance_in(*data_, a, to) < distance_in(*data_, b, to);
  });
  return others;
}

std::vector<unsigned> Topology::default_targets() const {
  std::vector<unsigned> targets;
  for (const Node& node : data_->nodes)
    if (may_hold_data(node) && !node.allowed_cpus.empty()) targets.push_back(node.index);
  return targets.empty() ? targets_without_cpus(*data_) : targets;
}

std::size_t Topology::page_bytes() const noexcept {
  return data_->page_bytes;
}

std::span<const Device> Topology::devices() const& noexcept {
  return data_->devices;
}

std::span<const MemoryAttribute> Topology::memory_attributes() const& noexcept {
  return data_->memory_attributes;
}

std::optional<double> Topology::cpu_quota() const noexcept {
  return data_->cpu_quota;
}

bool Topology::is_this_machine() const noexcept {
  return data_->is_this_machine;
}

const std::string& Topology::origin() const noexcept {
  return data_->origin;
}

const std::string& Topology::fingerprint() const noexcept {
  return data_->fingerprint;
}

}  // namespace nodewise
