#include <nodewise/c/topology.h>

#include "c/calls.hpp"
#include "c/objects.hpp"

using namespace nodewise;
using namespace nodewise::c;

nw_error nw_topology_this_machine(nw_topology* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = make_handle<nw_topology>(Topology::this_machine());
  });
}

nw_error nw_topology_from_xml(const char* path, nw_topology* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(path, call, "path");
    *out = make_handle<nw_topology>(Topology::from_xml(path));
  });
}

nw_error nw_topology_from_synthetic(const char* description, nw_topology* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(description, call, "description");
    *out = make_handle<nw_topology>(Topology::from_synthetic(description));
  });
}

nw_error nw_topology_num_nodes(nw_topology topology, std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = static_cast<std::uint32_t>(object(topology, call)->nodes().size());
  });
}

nw_error nw_topology_node(nw_topology topology, std::uint32_t node, nw_node* out) {
  return run(__func__, [&](const char* call) {
    const auto machine = object(topology, call);
    const Node& from = machine->node(node);
    nw_node result{};
    result.os_index = from.os_index;
    result.cpus = static_cast<std::uint32_t>(from.cpus.size());
    result.allowed_cpus = static_cast<std::uint32_t>(from.allowed_cpus.size());
    result.cores = static_cast<std::uint32_t>(from.cores.size());
    result.memory_bytes = from.memory_bytes;
    result.free_bytes = from.free_bytes;
    result.allowed = from.allowed ? 1 : 0;
    result.memory_unknown = from.memory_unknown ? 1 : 0;
    write_result(out, result, call);
  });
}

nw_error nw_topology_allowed_cpus(nw_topology topology, std::uint32_t node, std::uint32_t* cpus,
                                  std::size_t capacity, std::size_t* count) {
  return run(__func__, [&](const char* call) {
    write_numbers(object(topology, call)->node(node).allowed_cpus.indices(), cpus, capacity, count, call);
  });
}

nw_error nw_topology_distance(nw_topology topology, std::uint32_t from, std::uint32_t to,
                              std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = object(topology, call)->distance(from, to);
  });
}

nw_error nw_topology_default_targets(nw_topology topology, std::uint32_t* nodes, std::size_t capacity,
                                     std::size_t* count) {
  return run(__func__, [&](const char* call) {
    write_numbers(object(topology, call)->default_targets(), nodes, capacity, count, call);
  });
}

nw_error nw_topology_node_of_cpu(nw_topology topology, std::uint32_t cpu, std::uint32_t* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    const auto node = object(topology, call)->node_of_cpu(cpu);
    if (!node) throw OutOfRange(base::text(call, ": no node has CPU ", cpu));
    *out = *node;
  });
}

nw_error nw_topology_page_bytes(nw_topology topology, std::size_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(topology, call)->page_bytes(); });
}

nw_error nw_topology_fingerprint(nw_topology topology, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(topology, call)->fingerprint());
  });
}

nw_error nw_topology_origin(nw_topology topology, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(topology, call)->origin());
  });
}

nw_error nw_topology_is_this_machine(nw_topology topology, std::int32_t* out) {
  return run(__func__, [&](const char* call) {
    needed(out, call, "out") = object(topology, call)->is_this_machine() ? 1 : 0;
  });
}
