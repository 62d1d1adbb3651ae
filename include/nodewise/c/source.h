/* Where datasets come from: files, memory and functions (docs/sources.md). */
#ifndef NODEWISE_C_SOURCE_H
#define NODEWISE_C_SOURCE_H

#include <nodewise/c/base.h>

/* Options of sources. Each call says which members it uses; the others must be zero. */
typedef struct nw_source_options {
  size_t size;     /* set by the caller: sizeof(nw_source_options) */
  const char* key; /* memory and functions: names the data for nw_loader_open_or_create(). Change it whenever
                      the data changes. Null: the data has no identity */
  nw_dtype dtype;  /* files: NW_BF16 to read the two-byte elements of a .npy file as bfloat16 */
  int32_t any_thread;    /* functions: 1 if several threads may call the function at the same time */
  uint64_t granule_rows; /* functions: how many rows are best written together; 0: any number */
} nw_source_options;

/* Opens a file, such as a .npy file. Its format is recognised by its first bytes or its name. Uses `dtype`.
 * Errors: NW_SYSTEM, NW_FORMAT, NW_INVALID_ARGUMENT (another type was requested than the file states). */
NW_API nw_error nw_source_open(const char* path, const nw_source_options* options, nw_source* out);
/* Rows that lie at `data`, row-major. They must stay readable and unchanged while the source is used. The
 * batch size of `dataset` is ignored. Uses `key`. */
NW_API nw_error nw_source_memory(const void* data, const nw_dataset* dataset,
                                 const nw_source_options* options, nw_source* out);
/* Rows that a function writes: `fill(user, start, stop, to)` writes the rows from `start` to `stop` - 1 to
 * `to`, row-major, and returns 0; another number ends the load with NW_FOREIGN. It must write the same data
 * every time, and must accept rows in any order. Workers call it, one at a time unless `any_thread` is 1.
 * Uses `key`, `any_thread` and `granule_rows`. */
NW_API nw_error nw_source_function(const nw_dataset* dataset,
                                   int32_t (*fill)(void* user, uint64_t start, uint64_t stop, void* to),
                                   void* user, const nw_source_options* options, nw_source* out);
/* The shape and element type; the batch size is 0. */
NW_API nw_error nw_source_dataset(nw_source source, nw_dataset* out);
/* The name of the source's identity: an absolute path, or the key. "" if it has none. */
NW_API nw_error nw_source_name(nw_source source, char** out);
/* Writes rows to `to`, row-major. `stop` may be NULL. Errors: NW_OUT_OF_RANGE, NW_STOPPED, NW_SYSTEM,
 * NW_FORMAT. */
NW_API nw_error nw_source_read(nw_source source, nw_range rows, void* to, nw_stop stop);

#endif
