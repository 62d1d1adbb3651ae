/* A stream gives the batches of a dataset in runs of consecutive batches, which may lie anywhere in memory
 * (docs/streams.md). A lease keeps the memory of one run. */
#ifndef NODEWISE_C_STREAM_H
#define NODEWISE_C_STREAM_H

#include <nodewise/c/loader.h>

/* The batches of a loader: one run for each node that has data. */
NW_API nw_error nw_stream_of_loader(nw_loader loader, nw_stream* out);
NW_API nw_error nw_stream_dataset(nw_stream stream, nw_dataset* out);
/* Waits for the next run. Writes NULL at the end. One thread at a time. */
NW_API nw_error nw_stream_next(nw_stream stream, nw_lease* out);
/* Begins again. Writes 1, or 0 if the stream can be read only once. One thread at a time. */
NW_API nw_error nw_stream_rewind(nw_stream stream, int32_t* out);

typedef struct nw_run {
  size_t size;      /* set by the caller: sizeof(nw_run) */
  const void* data; /* the first byte of the first batch; the batches follow one another */
  nw_range batches; /* their numbers in the dataset */
  int32_t node;     /* the logical index of the node on which they lie; -1: not known */
  nw_layout layout;
} nw_run;
/* What a lease holds. Valid until the lease is freed, which any thread may do. */
NW_API nw_error nw_lease_run(nw_lease lease, nw_run* out);

/* The workers that read streams. `workers` and `scheduling` as in nw_loader_options. Errors: NW_SYSTEM,
 * NW_PLACEMENT. */
typedef struct nw_team_options {
  size_t size; /* set by the caller: sizeof(nw_team_options) */
  uint32_t workers;
  nw_scheduling scheduling;
} nw_team_options;
NW_API nw_error nw_team_make(nw_topology topology, const nw_team_options* options, nw_team* out);
NW_API nw_error nw_team_num_workers(nw_team team, uint32_t* out);
/* The means of the batches from the present position of the stream to its end, by batch number. The means of
 * batches that the stream does not give stay as they are. `count` must be the number of batches of the
 * dataset. */
NW_API nw_error nw_stream_means(nw_stream stream, nw_team team, double* means, uint64_t count);

#endif
