/* Where the pages of a dataset lie, as the kernel says, compared with the plan. */
#ifndef NODEWISE_C_PLACEMENT_H
#define NODEWISE_C_PLACEMENT_H

#include <nodewise/c/loader.h>

/* Counts of bytes. `planned_bytes` is the sum of the others. */
typedef struct nw_placement_bytes {
  size_t size; /* set by the caller: sizeof(nw_placement_bytes) */
  uint64_t planned_bytes;
  uint64_t local_bytes;     /* on the node of their shard */
  uint64_t misplaced_bytes; /* on another node */
  uint64_t cut_bytes;       /* on a page that the plan gave to another shard */
  uint64_t absent_bytes;    /* not in memory */
  uint64_t unknown_bytes;   /* the kernel did not say where */
  uint64_t on_target_bytes; /* only with the policy interleaved: on any target node */
} nw_placement_bytes;

/* Asks the kernel where each page is, and touches none. Errors: NW_SYSTEM. */
NW_API nw_error nw_loader_placement(nw_loader loader, nw_placement* out);
NW_API nw_error nw_placement_total(nw_placement placement, nw_placement_bytes* out);
/* local_bytes / planned_bytes; NaN if the plan is interleaved or the kernel could not be asked. */
NW_API nw_error nw_placement_local_fraction(nw_placement placement, double* out);
/* Fails with NW_PLACEMENT unless local_fraction is at least `fraction`; the message names the shards. */
NW_API nw_error nw_placement_require(nw_placement placement, double fraction);
/* JSON with the schema "nodewise.placement/1" (docs/json.md). */
NW_API nw_error nw_placement_to_json(nw_placement placement, char** out);
/* Text for people, as `nodewise run` prints it. */
NW_API nw_error nw_placement_summary(nw_placement placement, char** out);

/* Where the bytes of any memory lie. `bytes_on_node` has room for `nodes` numbers, one for each node of the
 * topology; bytes that are not in memory, and bytes of which the kernel does not say where they are, are
 * written to `absent_bytes` and `unknown_bytes`. Errors: NW_SYSTEM, NW_INVALID_ARGUMENT (another number of
 * nodes). */
NW_API nw_error nw_residency(nw_topology topology, const void* data, size_t bytes, uint64_t* bytes_on_node,
                             size_t nodes, uint64_t* absent_bytes, uint64_t* unknown_bytes);

#endif
