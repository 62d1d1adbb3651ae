/* A plan divides a dataset among the nodes of a machine (docs/plan.md). It is computed by arithmetic alone,
 * and touches no memory. */
#ifndef NODEWISE_C_PLAN_H
#define NODEWISE_C_PLAN_H

#include <nodewise/c/base.h>

typedef int32_t nw_policy;
enum { NW_BLOCKED = 0, NW_INTERLEAVED = 1 };
typedef int32_t nw_binding;
enum {
  NW_BINDING_DEFAULT = 0, /* loaders: the value of NODEWISE_BINDING, else preferred; plans: preferred */
  NW_PREFERRED = 1,       /* as well as possible; each loss is recorded as a degradation */
  NW_REQUIRED = 2         /* an error if a page cannot lie where it should, or if that cannot be verified */
};
typedef int32_t nw_weights;
enum { NW_WEIGHTS_EQUAL = 0, NW_WEIGHTS_CPUS = 1, NW_WEIGHTS_CAPACITY = 2, NW_WEIGHTS_GIVEN = 3 };

typedef struct nw_plan_options {
  size_t size; /* set by the caller: sizeof(nw_plan_options) */
  nw_policy policy;
  nw_binding binding;
  nw_weights weights;
  int32_t reserved;            /* 0 */
  const double* given_weights; /* NW_WEIGHTS_GIVEN: one for each target; else null */
  size_t num_given_weights;
  const uint32_t* targets; /* logical indices of the nodes that get data; null: the default targets */
  size_t num_targets;
  size_t page_bytes;  /* a power of two; 0: the base page of the machine */
  size_t base_offset; /* the address of the first element, modulo page_bytes */
} nw_plan_options;

/* Errors: NW_INVALID_ARGUMENT (no features, bad options, sizes that exceed 64 bits), NW_OUT_OF_RANGE (a
 * target that does not exist) and, with NW_REQUIRED, NW_PLACEMENT. Cost: O(nodes). */
NW_API nw_error nw_plan_make(nw_topology topology, const nw_dataset* dataset, const nw_plan_options* options,
                             nw_plan* out);
/* Reads a saved plan. Errors: NW_FORMAT, NW_PLACEMENT (it was made for another machine). */
NW_API nw_error nw_plan_from_json(const char* json, nw_topology topology, nw_plan* out);
/* JSON with the schema "nodewise.plan/1" (docs/json.md). */
NW_API nw_error nw_plan_to_json(nw_plan plan, char** out);

/* The part of a dataset that one node owns. */
typedef struct nw_shard {
  size_t size;          /* set by the caller: sizeof(nw_shard) */
  uint32_t node;        /* logical index */
  uint32_t os_index;    /* the kernel's number of the node */
  nw_range batches;     /* the numbers of its batches */
  nw_range bytes;       /* their bytes, counted from the first byte of the dataset */
  nw_range pages;       /* its pages, as a range of bytes from the start of the first page of the dataset */
  uint64_t cut_bytes;   /* bytes of its batches on pages of other shards */
  uint64_t spill_bytes; /* bytes by which its pages exceed the memory of the node */
} nw_shard;

NW_API nw_error nw_plan_dataset(nw_plan plan, nw_dataset* out);
NW_API nw_error nw_plan_num_shards(nw_plan plan, size_t* out);
/* Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_plan_shard(nw_plan plan, size_t shard, nw_shard* out);
/* The shard that owns a batch. Errors: NW_OUT_OF_RANGE. Cost: O(log nodes). */
NW_API nw_error nw_plan_shard_of(nw_plan plan, uint64_t batch, size_t* out);
NW_API nw_error nw_plan_cut_bytes(nw_plan plan, uint64_t* out);
NW_API nw_error nw_plan_page_bytes(nw_plan plan, size_t* out);

#endif
