/* Where datasets come from: files, memory and functions (docs/sources.md). */
#ifndef NODEWISE_C_SOURCE_H
#define NODEWISE_C_SOURCE_H

#include <nodewise/c/base.h>

/* Opens a file, such as a .npy file. Its format is recognised by its first bytes or its name. `dtype` is
 * NW_DTYPE_NONE, or NW_BF16 to read the two-byte elements of a .npy file as bfloat16. Errors: NW_SYSTEM,
 * NW_FORMAT, NW_INVALID_ARGUMENT (another type was requested than the file states). */
NW_API nw_error nw_source_open(const char* path, nw_dtype dtype, nw_source* out);
/* Rows that lie at `data`, row-major. They must stay readable and unchanged while the source is used. `key`
 * names the data for nw_open_or_create(); null: the data has no identity. The batch size of `dataset` is
 * ignored. */
NW_API nw_error nw_source_memory(const void* data, const nw_dataset* dataset, const char* key,
                                 nw_source* out);
/* Rows that a function writes: `fill(user, rows, to)` writes the rows `rows` to `to`, row-major, and returns
 * 0; another number ends the load with NW_FOREIGN. It must write the same data every time, and must accept
 * rows in any order. It is called by one thread at a time, which may be a worker. `key` as for
 * nw_source_memory(). */
NW_API nw_error nw_source_function(const nw_dataset* dataset,
                                   int32_t (*fill)(void* user, nw_range rows, void* to), void* user,
                                   const char* key, nw_source* out);
/* The shape and element type; the batch size is 0. */
NW_API nw_error nw_source_dataset(nw_source source, nw_dataset* out);
/* The name of the source's identity: an absolute path, or the key. "" if it has none. */
NW_API nw_error nw_source_name(nw_source source, char** out);
/* Writes rows to `to`, row-major. `stop` may be NULL. Errors: NW_OUT_OF_RANGE, NW_STOPPED, NW_SYSTEM,
 * NW_FORMAT. */
NW_API nw_error nw_source_read(nw_source source, nw_range rows, void* to, nw_stop stop);

#endif
