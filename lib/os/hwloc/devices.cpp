// GPUs, network cards and storage, from hwloc's I/O objects.
#include <algorithm>
#include <cstdio>
#include <string_view>
#include <tuple>
#include <utility>

#include "os/hwloc/describe.hpp"

namespace nodewise::os {
namespace {

enum class Use { gpu, nic, storage, other, none };

#if HWLOC_API_VERSION >= 0x00030000
Use use_of(hwloc_obj_t device) {
  const auto types = device->attr->osdev.types;
  if ((types & HWLOC_OBJ_OSDEV_GPU) != 0) return Use::gpu;
  if ((types & (HWLOC_OBJ_OSDEV_NETWORK | HWLOC_OBJ_OSDEV_OPENFABRICS)) != 0) return Use::nic;
  if ((types & HWLOC_OBJ_OSDEV_STORAGE) != 0) return Use::storage;
  return (types & (HWLOC_OBJ_OSDEV_COPROC | HWLOC_OBJ_OSDEV_MEMORY)) != 0 ? Use::other : Use::none;
}
#else
Use use_of(hwloc_obj_t device) {
  switch (device->attr->osdev.type) {
    case HWLOC_OBJ_OSDEV_GPU:
      return Use::gpu;
    case HWLOC_OBJ_OSDEV_NETWORK:
    case HWLOC_OBJ_OSDEV_OPENFABRICS:
      return Use::nic;
    case HWLOC_OBJ_OSDEV_BLOCK:
      return Use::storage;
    case HWLOC_OBJ_OSDEV_COPROC:
      return Use::other;
    default:
      return Use::none;
  }
}
#endif

std::string info(hwloc_obj_t object, const char* name) {
  const char* value = object == nullptr ? nullptr : hwloc_obj_get_info_by_name(object, name);
  return value == nullptr ? "" : value;
}

std::string joined(const std::string& vendor, const std::string& model) {
  return vendor.empty() || model.empty() ? vendor + model : vendor + ' ' + model;
}

std::string pci_ids(hwloc_obj_t pci) {
  char ids[16];
  const auto& attributes = pci->attr->pcidev;
  std::snprintf(ids, sizeof ids, "PCI %04x:%04x", attributes.vendor_id, attributes.device_id);
  return ids;
}

std::string pci_address(hwloc_obj_t pci) {
  char address[32];
  const auto& at = pci->attr->pcidev;
  std::snprintf(address, sizeof address, "%04x:%02x:%02x.%01x", static_cast<unsigned>(at.domain), at.bus,
                at.dev, at.func);
  return address;
}

// The description that the device itself gives, or else that of its PCI function. `device` or `pci` may be
// null.
std::string description_of(hwloc_obj_t device, hwloc_obj_t pci) {
  for (const auto& [vendor, model] : {std::pair("GPUVendor", "GPUModel"), std::pair("Vendor", "Model")})
    if (auto said = joined(info(device, vendor), info(device, model)); !said.empty()) return said;
  if (auto said = joined(info(pci, "PCIVendor"), info(pci, "PCIDevice")); !said.empty()) return said;
  return pci == nullptr ? "" : pci_ids(pci);
}

// hwloc attaches a device to a part of the machine. That part names the node: its own node, or one with some
// of its CPUs.
std::optional<unsigned> node_near(hwloc_topology_t topology, hwloc_obj_t device, Nodes& nodes) {
  const hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(topology, device);
  if (place == nullptr) return std::nullopt;
  std::vector<const Node*> all;
  std::vector<const Node*> with_cpus;
  for (const unsigned os_index : to_set(place->nodeset).indices()) {
    const Node* node = by_os_index(nodes, os_index);
    if (node == nullptr) continue;
    all.push_back(node);
    if (!node->cpus.empty()) with_cpus.push_back(node);
  }
  if (with_cpus.size() == 1) return with_cpus.front()->index;
  return all.size() == 1 ? std::optional(all.front()->index) : std::nullopt;
}

bool is_gpu(hwloc_obj_t pci) {
  constexpr unsigned display = 0x03;
  constexpr unsigned accelerator = 0x12;
  const unsigned base_class = static_cast<unsigned>(pci->attr->pcidev.class_id) >> 8;
  return base_class == display || base_class == accelerator;
}

hwloc_obj_t pci_above(hwloc_obj_t device) {
  while (device != nullptr && device->type != HWLOC_OBJ_PCI_DEVICE) device = device->parent;
  return device;
}

Device::Kind kind_of(Use use, std::string_view name) {
  if (use == Use::gpu) return Device::Kind::gpu;
  if (use == Use::nic) return Device::Kind::nic;
  return use == Use::storage && name.starts_with("nvme") ? Device::Kind::nvme : Device::Kind::other;
}

}  // namespace

// The library does not load vendors' libraries, and without them the system has no name for a GPU. So the PCI
// function is its name, even if a file was written with vendors' names.
std::vector<Device> describe_devices(hwloc_topology_t topology, Nodes& nodes) {
  std::vector<Device> devices;
  for (hwloc_obj_t pci = nullptr; (pci = hwloc_get_next_pcidev(topology, pci)) != nullptr;)
    if (is_gpu(pci))
      devices.push_back({Device::Kind::gpu, pci_address(pci), description_of(nullptr, pci),
                         node_near(topology, pci, nodes)});
  for (hwloc_obj_t device = nullptr; (device = hwloc_get_next_osdev(topology, device)) != nullptr;) {
    const Use use = use_of(device);
    const hwloc_obj_t pci = pci_above(device);
    if (use == Use::none || (pci != nullptr && is_gpu(pci))) continue;
    const std::string name = device->name == nullptr ? "" : device->name;
    devices.push_back(
        {kind_of(use, name), name, description_of(device, pci), node_near(topology, device, nodes)});
  }
  std::sort(devices.begin(), devices.end(), [](const Device& a, const Device& b) {
    return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
  });
  return devices;
}

}  // namespace nodewise::os
