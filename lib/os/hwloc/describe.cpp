#include "os/hwloc/describe.hpp"

#include <hwloc/distances.h>
#include <hwloc/memattrs.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <tuple>

// hwloc 2.4 and 3 renamed or moved some enumerators; 3 moved page sizes from the nodes to the topology.
#if HWLOC_API_VERSION >= 0x00030000
#define NODEWISE_KIND_LATENCY HWLOC_DISTANCES_KIND_VALUE_LATENCY
#else
#define NODEWISE_KIND_LATENCY HWLOC_DISTANCES_KIND_MEANS_LATENCY
#endif
#if HWLOC_API_VERSION >= 0x00020400
#define NODEWISE_LOCATION_CPUSET HWLOC_LOCATION_TYPE_CPUSET
#else
#define NODEWISE_LOCATION_CPUSET hwloc_location::HWLOC_LOCATION_TYPE_CPUSET
#endif

namespace nodewise::os {

IndexSet to_set(hwloc_const_bitmap_t bitmap) {
  IndexSet set;
  if (bitmap == nullptr || hwloc_bitmap_weight(bitmap) < 0) return set;  // there is none, or it is infinite
  for (int i = hwloc_bitmap_first(bitmap); i >= 0; i = hwloc_bitmap_next(bitmap, i))
    set.insert(static_cast<unsigned>(i));
  return set;
}

Node* by_os_index(Nodes& nodes, unsigned os_index) {
  const auto found = std::find_if(nodes.begin(), nodes.end(),
                                  [os_index](const Node& node) { return node.os_index == os_index; });
  return found == nodes.end() ? nullptr : &*found;
}

namespace {

std::vector<hwloc_obj_t> objects(hwloc_topology_t topology, hwloc_obj_type_t type) {
  std::vector<hwloc_obj_t> found;
  for (hwloc_obj_t object = nullptr;
       (object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr;)
    found.push_back(object);
  return found;
}

IndexSet without(IndexSet set, const IndexSet& other) {
  for (const unsigned index : other.indices()) set.erase(index);
  return set;
}

// ---- nodes and CPUs

#if HWLOC_API_VERSION >= 0x00030000
std::vector<PagePool> pools_of(hwloc_topology_t topology, hwloc_obj_t) {
  std::vector<PagePool> pools;
  const char* sizes = hwloc_get_info_by_name(hwloc_topology_get_infos(topology), "PageSizes");
  std::string_view rest = sizes == nullptr ? "" : sizes;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    std::size_t page_bytes = 0;
    std::from_chars(rest.data(), rest.data() + comma, page_bytes);
    if (page_bytes > 0) pools.push_back({page_bytes, 0, 0});
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return pools;
}
#else
std::vector<PagePool> pools_of(hwloc_topology_t, hwloc_obj_t object) {
  std::vector<PagePool> pools;
  const auto& memory = object->attr->numanode;
  for (unsigned i = 0; i < memory.page_types_len; ++i)
    if (memory.page_types[i].size > 0)
      pools.push_back({memory.page_types[i].size, memory.page_types[i].count, 0});
  return pools;
}
#endif

Nodes nodes_with_memory(hwloc_topology_t topology) {
  Nodes nodes;
  const IndexSet allowed = to_set(hwloc_topology_get_allowed_nodeset(topology));
  for (const hwloc_obj_t object : objects(topology, HWLOC_OBJ_NUMANODE)) {
    Node node;
    node.os_index = object->os_index;
    node.memory_bytes = object->attr->numanode.local_memory;
    node.allowed = allowed.contains(node.os_index);
    node.pools = pools_of(topology, object);
    nodes.push_back(std::move(node));
  }
  // Files leave out an amount of 0, and one that is not known. A machine without any memory does not exist.
  const auto has_memory = [](const Node& node) { return node.memory_bytes > 0; };
  const bool stated = std::any_of(nodes.begin(), nodes.end(), has_memory);
  for (Node& node : nodes) node.memory_unknown = !stated;
  return nodes;
}

// For a memory-only node, hwloc names the nearest CPUs, which belong to other nodes. In the kernel, a CPU
// belongs to the node with the fewest CPUs around it; of nodes with the same CPUs, to the first.
void share_out_cpus(hwloc_topology_t topology, Nodes& nodes) {
  auto numa_nodes = objects(topology, HWLOC_OBJ_NUMANODE);
  std::sort(numa_nodes.begin(), numa_nodes.end(), [](hwloc_obj_t a, hwloc_obj_t b) {
    return std::tuple(hwloc_bitmap_weight(a->cpuset), a->os_index) <
           std::tuple(hwloc_bitmap_weight(b->cpuset), b->os_index);
  });
  IndexSet taken;
  for (const hwloc_obj_t object : numa_nodes) {
    IndexSet own = without(to_set(object->cpuset), taken);
    taken |= own;
    by_os_index(nodes, object->os_index)->cpus = std::move(own);
  }
}

// CPUs of a node that hwloc left out because it has no memory. The CPU still knows the number of its node.
void adopt_stray_cpus(hwloc_topology_t topology, Nodes& nodes) {
  IndexSet taken;
  IndexSet known;
  for (const Node& node : nodes) {
    taken |= node.cpus;
    known.insert(node.os_index);
  }
  unsigned unused = 0;
  while (known.contains(unused)) ++unused;
  for (const hwloc_obj_t cpu : objects(topology, HWLOC_OBJ_PU)) {
    if (taken.contains(cpu->os_index)) continue;
    const unsigned os_index = without(to_set(cpu->complete_nodeset), known).first().value_or(unused);
    Node* node = by_os_index(nodes, os_index);
    if (node == nullptr) {
      node = &nodes.emplace_back();
      node->os_index = os_index;
      node->allowed = false;
    }
    node->cpus.insert(cpu->os_index);
  }
}

void fill_cores(hwloc_topology_t topology, Nodes& nodes) {
  std::vector<IndexSet> cores;
  IndexSet in_cores;
  for (const hwloc_obj_t core : objects(topology, HWLOC_OBJ_CORE)) {
    cores.push_back(to_set(core->cpuset));
    in_cores |= cores.back();
  }
  for (const hwloc_obj_t cpu : objects(topology, HWLOC_OBJ_PU))  // hwloc may know no core of a CPU
    if (!in_cores.contains(cpu->os_index)) cores.push_back({cpu->os_index});
  for (Node& node : nodes) {
    for (const IndexSet& core : cores)
      if (const IndexSet here = core & node.cpus; !here.empty()) node.cores.push_back(here);
    std::sort(node.cores.begin(), node.cores.end(),
              [](const IndexSet& a, const IndexSet& b) { return a.first() < b.first(); });
  }
}

std::size_t smallest_page(const Nodes& nodes, std::size_t fallback) {
  std::size_t smallest = 0;
  for (const Node& node : nodes)
    for (const PagePool& pool : node.pools)
      if (smallest == 0 || pool.page_bytes < smallest) smallest = pool.page_bytes;
  return smallest == 0 ? fallback : smallest;
}

// The base page is always among the pools. If hwloc counts no pages, all memory is base pages.
void complete_pools(Nodes& nodes, std::size_t page_bytes) {
  for (Node& node : nodes) {
    const auto by_size = [](const PagePool& a, const PagePool& b) { return a.page_bytes < b.page_bytes; };
    std::sort(node.pools.begin(), node.pools.end(), by_size);
    if (node.pools.empty() || node.pools.front().page_bytes != page_bytes)
      node.pools.insert(node.pools.begin(), {page_bytes, 0, 0});
    const bool counted = std::any_of(node.pools.begin(), node.pools.end(),
                                     [](const PagePool& pool) { return pool.total_pages > 0; });
    if (!counted) node.pools.front().total_pages = node.memory_bytes / page_bytes;
  }
}

Nodes describe_nodes(hwloc_topology_t topology) {
  Nodes nodes = nodes_with_memory(topology);
  share_out_cpus(topology, nodes);
  adopt_stray_cpus(topology, nodes);
  fill_cores(topology, nodes);
  std::sort(nodes.begin(), nodes.end(), [](const Node& a, const Node& b) { return a.os_index < b.os_index; });
  const IndexSet allowed = to_set(hwloc_topology_get_allowed_cpuset(topology));
  for (Node& node : nodes) {
    node.index = static_cast<unsigned>(&node - nodes.data());
    node.allowed_cpus = node.cpus & allowed;
  }
  return nodes;
}

// ---- distances and memory attributes

struct ReleaseDistances {
  hwloc_topology_t topology;
  void operator()(hwloc_distances_s* distances) const { hwloc_distances_release(topology, distances); }
};
using Distances = std::unique_ptr<hwloc_distances_s, ReleaseDistances>;

Distances node_distances(hwloc_topology_t topology, unsigned long kind) {
  unsigned count = 1;
  hwloc_distances_s* found = nullptr;
  const int error = hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &count, &found, kind, 0);
  return {error == 0 && count > 0 ? found : nullptr, ReleaseDistances{topology}};
}

// Nodes that are not in the matrix get the values that are used without firmware tables: 10 to themselves, 20
// to others.
std::vector<unsigned> describe_distances(hwloc_topology_t topology, Nodes& nodes) {
  auto matrix = node_distances(topology, HWLOC_DISTANCES_KIND_FROM_OS | NODEWISE_KIND_LATENCY);
  if (!matrix) matrix = node_distances(topology, NODEWISE_KIND_LATENCY);
  if (!matrix) return {};
  const std::size_t count = nodes.size();
  std::vector<unsigned> distances(count * count, 20);
  for (std::size_t i = 0; i < count; ++i) distances[i * count + i] = 10;
  const auto node_at = [&](unsigned i) {
    return matrix->objs[i] == nullptr ? nullptr : by_os_index(nodes, matrix->objs[i]->os_index);
  };
  for (unsigned i = 0; i < matrix->nbobjs; ++i)
    for (unsigned j = 0; j < matrix->nbobjs; ++j) {
      const Node* from = node_at(i);
      const Node* to = node_at(j);
      if (from == nullptr || to == nullptr) continue;
      constexpr hwloc_uint64_t largest = 1U << 30;
      const auto value = std::min<hwloc_uint64_t>(matrix->values[i * matrix->nbobjs + j], largest);
      distances[from->index * count + to->index] = static_cast<unsigned>(value);
    }
  return distances;
}

std::vector<MemoryAttribute> describe_memory_attributes(hwloc_topology_t topology, Nodes& nodes) {
  std::vector<MemoryAttribute> attributes;
  for (const char* name :
       {"Bandwidth", "ReadBandwidth", "WriteBandwidth", "Latency", "ReadLatency", "WriteLatency"}) {
    hwloc_memattr_id_t id = 0;
    if (hwloc_memattr_get_by_name(topology, name, &id) != 0) continue;  // older than hwloc 2.8
    for (const Node& from : nodes) {
      if (from.cpus.empty()) continue;
      const std::unique_ptr<hwloc_bitmap_s, void (*)(hwloc_bitmap_t)> cpus(hwloc_bitmap_alloc(),
                                                                           hwloc_bitmap_free);
      for (const unsigned cpu : from.cpus.indices()) hwloc_bitmap_set(cpus.get(), cpu);
      hwloc_location initiator{};
      initiator.type = NODEWISE_LOCATION_CPUSET;
      initiator.location.cpuset = cpus.get();
      for (const hwloc_obj_t target : objects(topology, HWLOC_OBJ_NUMANODE)) {
        hwloc_uint64_t value = 0;
        if (hwloc_memattr_get_value(topology, id, target, &initiator, 0, &value) == 0)
          attributes.push_back({name, from.index, by_os_index(nodes, target->os_index)->index, value});
      }
    }
  }
  return attributes;
}

}  // namespace

MachineData describe(hwloc_topology_t topology, std::size_t page_bytes) {
  MachineData data;
  data.nodes = describe_nodes(topology);
  data.page_bytes = smallest_page(data.nodes, page_bytes);
  complete_pools(data.nodes, data.page_bytes);
  data.distances = describe_distances(topology, data.nodes);
  data.memory_attributes = describe_memory_attributes(topology, data.nodes);
  data.devices = describe_devices(topology, data.nodes);
  return data;
}

}  // namespace nodewise::os
