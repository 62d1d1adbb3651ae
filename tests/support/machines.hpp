// Machines for tests: descriptions of nodes that are not here, to put behind the fake system.
#pragma once

#include <string>
#include <vector>

#include <nodewise/topology.hpp>

#include "os/fakes/fake.hpp"
#include "os/fakes/faulty.hpp"

namespace nodewise::test {

inline constexpr std::uint64_t MiB = std::uint64_t{1} << 20;

struct NodeSpec {
  unsigned os_index = 0;
  unsigned cpus = 2;
  std::uint64_t memory_bytes = 64 * MiB;
  bool allowed = true;
};

/// CPUs are numbered through; each is a core of its own.
inline MachineData machine(const std::vector<NodeSpec>& specs) {
  MachineData data;
  unsigned cpu = 0;
  for (const NodeSpec& spec : specs) {
    Node node;
    node.index = static_cast<unsigned>(data.nodes.size());
    node.os_index = spec.os_index;
    node.memory_bytes = spec.memory_bytes;
    node.allowed = spec.allowed;
    for (unsigned i = 0; i < spec.cpus; ++i, ++cpu) {
      node.cpus.insert(cpu);
      node.cores.push_back({cpu});
    }
    node.allowed_cpus = node.cpus;
    node.pools = {{4096, spec.memory_bytes / 4096, 0}};
    data.nodes.push_back(node);
  }
  data.is_this_machine = true;
  data.origin = "a test";
  return data;
}

inline MachineData even_machine(unsigned nodes, unsigned cpus_per_node = 2) {
  std::vector<NodeSpec> specs;
  for (unsigned i = 0; i < nodes; ++i) specs.push_back({i, cpus_per_node, 64 * MiB, true});
  return machine(specs);
}

/// A fake machine in use, with faults on demand.
struct World {
  explicit World(MachineData data) : fake(std::move(data)), faulty(fake), scoped(faulty) {}
  os::Fake fake;
  os::Faulty faulty;
  os::Scoped scoped;
};

/// Sets an environment variable for as long as it lives; null unsets it.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, had_ = true;
    value != nullptr ? ::setenv(name, value, 1) : ::unsetenv(name);
  }
  ~Environment() { had_ ? ::setenv(name_, before_.c_str(), 1) : ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool had_ = false;
};

}  // namespace nodewise::test
