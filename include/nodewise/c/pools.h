/* Pools of memory of the NUMA nodes, for blocks of any size (docs/pools.md). A block is used without page
 * faults, and lies on the node of its pool.
 *
 * Thread class: any thread; any thread may give a block back. Pools must not be used in a forked child. */
#ifndef NODEWISE_C_POOLS_H
#define NODEWISE_C_POOLS_H

#include <nodewise/c/placement.h>
#include <nodewise/c/stream.h>

typedef int32_t nw_spill;
enum {
  NW_SPILL_NONE = 0,   /* a node without room is an error */
  NW_SPILL_NEAREST = 1 /* its pool takes memory of the nearest node that has room */
};

typedef struct nw_pools_options {
  size_t size;          /* set by the caller: sizeof(nw_pools_options) */
  uint64_t limit_bytes; /* the most bytes that are taken from each node; 0: without a limit */
  size_t chunk_bytes;   /* the memory that a pool takes at a time, at least 64 KiB; 0: 64 MiB */
  nw_page_kind pages;
  nw_spill spill;
} nw_pools_options;

/* A pool for each node of the team's topology. Nothing is mapped before the first block is allocated. When
 * the handle is freed, all memory is given back; no block may be used afterwards. */
NW_API nw_error nw_pools_make(nw_team team, const nw_pools_options* options, nw_pools* out);
/* The node on which the calling thread runs, or the nearest one that has memory. Cost: some tens of
 * nanoseconds; call it once, and not for each block. */
NW_API nw_error nw_pools_local_node(nw_pools pools, uint32_t* out);
/* `node` itself if it has memory that this process may use, else the nearest node that has such memory.
 * Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_pools_nearest_with_memory(nw_pools pools, uint32_t node, uint32_t* out);
/* A block of the pool of `node` (logical index). `alignment` is a power of two, at most a page; 0: that of
 * malloc(). Errors: NW_OUT_OF_RANGE (no such node), NW_OUT_OF_MEMORY (which names the node, and the bytes
 * that are free), NW_INVALID_ARGUMENT. */
NW_API nw_error nw_pools_allocate(nw_pools pools, uint32_t node, size_t bytes, size_t alignment, void** out);
/* Gives a block back to the pool that it came from, with the numbers with which it was allocated. As for
 * free(), a wrong block or number is not detected. NULL is allowed. */
NW_API nw_error nw_pools_deallocate(nw_pools pools, uint32_t node, void* block, size_t bytes,
                                    size_t alignment);
/* Populates memory, so that blocks of `bytes` in sum can be allocated without asking the system. */
NW_API nw_error nw_pools_reserve(nw_pools pools, uint32_t node, size_t bytes);

typedef struct nw_pool_counts {
  size_t size;          /* set by the caller: sizeof(nw_pool_counts) */
  uint64_t chunk_bytes; /* the memory that the pool holds */
  uint64_t live_blocks;
  uint64_t live_bytes;
  uint64_t allocations;
  uint64_t upstream_allocations; /* how often the pool took memory */
  uint64_t mapped_bytes;         /* on the node, also for pools of other nodes */
  uint64_t local_bytes;          /* of these: where the kernel says that they are on the node */
  uint64_t spilled_bytes;        /* that the pool ever took from other nodes */
  uint64_t live_spilled_bytes;   /* that it has from other nodes now */
} nw_pool_counts;
/* Cost: the kernel is asked about every page. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_pools_count(nw_pools pools, uint32_t node, nw_pool_counts* out);
/* JSON with the schema "nodewise.pools/1" (docs/json.md). */
NW_API nw_error nw_pools_to_json(nw_pools pools, char** out);

#endif
