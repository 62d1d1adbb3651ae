/* The machine: its NUMA nodes, their CPUs and memory. The calls name a node by its logical index, which
 * counts from 0; the kernel's own number of the node is its os_index. */
#ifndef NODEWISE_C_TOPOLOGY_H
#define NODEWISE_C_TOPOLOGY_H

#include <nodewise/c/base.h>

/* Describes this machine. Errors: NW_SYSTEM, NW_FORMAT. Cost: tens of milliseconds. */
NW_API nw_error nw_topology_this_machine(nw_topology* out);
/* Reads an XML file of hwloc 2 or later. Errors: NW_SYSTEM, NW_FORMAT. */
NW_API nw_error nw_topology_from_xml(const char* path, nw_topology* out);
/* Reads an hwloc synthetic description, such as "pack:2 numa:2 core:4 pu:2". Errors: NW_FORMAT. */
NW_API nw_error nw_topology_from_synthetic(const char* description, nw_topology* out);

typedef struct nw_node {
  size_t size;            /* set by the caller: sizeof(nw_node) */
  uint32_t os_index;      /* the kernel's number */
  uint32_t cpus;          /* the number of its CPUs */
  uint32_t allowed_cpus;  /* how many of them the cpuset of this process allows */
  uint32_t cores;         /* physical cores */
  uint64_t memory_bytes;  /* 0: a node without memory */
  uint64_t free_bytes;    /* when the topology was made; 0 for other machines */
  int32_t allowed;        /* 1: the cpuset of this process allows memory of the node */
  int32_t memory_unknown; /* 1: the topology does not state the memory */
} nw_node;

NW_API nw_error nw_topology_num_nodes(nw_topology topology, uint32_t* out);
/* Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_topology_node(nw_topology topology, uint32_t node, nw_node* out);
/* Writes the kernel's numbers of the node's CPUs that this process may use, at most `capacity` of them, and
 * their number to `count`. With `capacity` 0, `cpus` may be null. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_topology_allowed_cpus(nw_topology topology, uint32_t node, uint32_t* cpus, size_t capacity,
                                         size_t* count);
/* The distance that the firmware states, without a unit. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_topology_distance(nw_topology topology, uint32_t from, uint32_t to, uint32_t* out);
/* The nodes on which a plan places data unless it is given others; as nw_topology_allowed_cpus(). */
NW_API nw_error nw_topology_default_targets(nw_topology topology, uint32_t* nodes, size_t capacity,
                                            size_t* count);
/* The node of a CPU (the kernel's number). Errors: NW_OUT_OF_RANGE if no node has it. */
NW_API nw_error nw_topology_node_of_cpu(nw_topology topology, uint32_t cpu, uint32_t* out);
NW_API nw_error nw_topology_page_bytes(nw_topology topology, size_t* out);
/* 16 hexadecimal digits that identify the structure of the machine. */
NW_API nw_error nw_topology_fingerprint(nw_topology topology, char** out);
/* "this machine", or the file or text that was read. */
NW_API nw_error nw_topology_origin(nw_topology topology, char** out);
/* Writes 1 if this machine is described, else 0. */
NW_API nw_error nw_topology_is_this_machine(nw_topology topology, int32_t* out);

#endif
