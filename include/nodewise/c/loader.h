/* A loader holds a dataset in one buffer whose pages a plan places on the NUMA nodes. It gives batches as
 * views, and computes their means with workers that are pinned to the nodes. */
#ifndef NODEWISE_C_LOADER_H
#define NODEWISE_C_LOADER_H

#include <nodewise/c/plan.h>
#include <nodewise/c/source.h>
#include <nodewise/c/topology.h>

typedef int32_t nw_page_kind;
enum {
  NW_PAGES_DEFAULT = 0,   /* the value of NODEWISE_PAGES, else automatic */
  NW_PAGES_AUTOMATIC = 1, /* transparent huge pages if the system allows them, else base pages */
  NW_PAGES_BASE = 2,
  NW_PAGES_TRANSPARENT = 3,
  NW_PAGES_HUGETLB = 4
};
typedef int32_t nw_scheduling;
enum {
  NW_SCHEDULING_LOCAL = 0,   /* each worker reads its own part */
  NW_SCHEDULING_STEALING = 1 /* a worker that has finished helps the nearest workers */
};

typedef struct nw_loader_options {
  size_t size; /* set by the caller: sizeof(nw_loader_options) */
  nw_policy policy;
  nw_binding binding;
  nw_weights weights;
  nw_page_kind pages;
  const double* given_weights; /* as in nw_plan_options */
  size_t num_given_weights;
  const uint32_t* targets;
  size_t num_targets;
  uint32_t workers; /* 0: NODEWISE_WORKERS if it is set, else one for each core that this process may use */
  nw_scheduling scheduling;
  nw_topology topology; /* describes this machine; NULL: the library asks the system */
  nw_layout layout;
  int32_t keep; /* 1: the segment stays when no process holds it */
  const char*
      segment; /* the name of a segment for the dataset; "": a memfd; null: memory of this process alone */
  int32_t publish_later; /* 1: other processes can open the segment after nw_loader_publish() */
  int32_t reserved;      /* 0 */
  nw_stop stop;          /* ends a load early; NULL: nothing does */
  double patience;       /* the seconds that nw_loader_open() and nw_loader_open_or_create() wait for a
                            process that has not finished making the segment; 0: without a limit */
} nw_loader_options;

/* Makes a loader. All these calls fail as the C++ constructors do (docs/c.md): NW_INVALID_ARGUMENT,
 * NW_PLACEMENT, NW_SYSTEM, NW_THREADS, and with a stop token NW_STOPPED. A dataset of zeros: */
NW_API nw_error nw_loader_make(const nw_dataset* dataset, const nw_loader_options* options, nw_loader* out);
/* A copy of the rows at `data`, row-major. */
NW_API nw_error nw_loader_copy(const void* data, const nw_dataset* dataset, const nw_loader_options* options,
                               nw_loader* out);
/* A copy of a matrix whose element (row, col) is row * row_stride + col * col_stride bytes from `data`. */
NW_API nw_error nw_loader_copy_strided(const void* data, const nw_dataset* dataset, int64_t row_stride,
                                       int64_t col_stride, const nw_loader_options* options, nw_loader* out);
/* Uses the caller's memory where it is; nothing is copied. `release(user, data)` is called once, by any
 * thread: when the last object that uses the memory is destroyed, or when this call fails. `release` may be
 * null. `data` must be aligned to the element type. With NW_READ_ONLY, views are read-only. The
 * memory must already be arranged by the layout of the options, and cannot lie in a segment. */
NW_API nw_error nw_loader_adopt(void* data, const nw_dataset* dataset, nw_access access,
                                void (*release)(void* user, void* data), void* user,
                                const nw_loader_options* options, nw_loader* out);
/* Places memory and reads the whole source into it. */
NW_API nw_error nw_loader_load(nw_source source, uint64_t batch_size, const nw_loader_options* options,
                               nw_loader* out);
/* The same by a saved plan, which decides policy, binding, weights and targets. With `source` NULL, a dataset
 * of zeros. */
NW_API nw_error nw_loader_load_planned(nw_source source, nw_plan plan, const nw_loader_options* options,
                                       nw_loader* out);
/* Opens the dataset that another process has placed in the segment `name`. Of the options, only `workers`,
 * `scheduling`, `topology`, `stop` and `patience` are used. Errors: those of nw_segment_open(),
 * NW_INVALID_ARGUMENT (no dataset).
 */
NW_API nw_error nw_loader_open(const char* name, nw_access access, const nw_loader_options* options,
                               nw_loader* out);
/* Keeps one copy of a source for all processes of the machine, in the segment `name`: opens it if it holds
 * the source in its present state, else loads the source into a new one. If several processes call this at
 * once, one of them loads and the others wait. `access` is that of the processes that open it. */
NW_API nw_error nw_loader_open_or_create(nw_source source, const char* name, uint64_t batch_size,
                                         nw_access access, const nw_loader_options* options, nw_loader* out);

NW_API nw_error nw_loader_dataset(nw_loader loader, nw_dataset* out);
NW_API nw_error nw_loader_num_batches(nw_loader loader, uint64_t* out);
/* A view of a batch. Errors: NW_OUT_OF_RANGE. Cost: O(1). A loop over batches need not call this: full
 * batches follow one another in memory, so batch i begins i times the bytes of a batch after batch 0. */
NW_API nw_error nw_loader_batch(nw_loader loader, uint64_t batch, nw_view* out);
/* Writes 1 if a view of the batch points into the buffer and its memory is mapped, as the kernel says. */
NW_API nw_error nw_loader_is_zero_copy(nw_loader loader, uint64_t batch, int32_t* out);
/* Writes one element, which every view sees, also in other processes. `value` points to a number of type
 * `dtype`; a number of another type than the dataset's is converted if that does not change its value, else
 * the call fails with NW_INVALID_ARGUMENT. So does a write to read-only memory. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_loader_write(nw_loader loader, uint64_t row, uint64_t col, nw_dtype dtype,
                                const void* value);
/* The mean of each batch: the exact sum, divided and rounded once. `count` is the room at `means`; it must be
 * the number of batches. */
NW_API nw_error nw_loader_means(nw_loader loader, double* means, uint64_t count);
/* The same, rounded to four decimals as Python's round(mean, 4). */
NW_API nw_error nw_loader_rounded_means(nw_loader loader, double* means, uint64_t count);
/* The mean and the variance of each feature over all samples, divided by samples - ddof (docs/layouts.md).
 * `count` must be the number of features. `variances` may be null; then the data is read once instead of
 * twice. */
NW_API nw_error nw_loader_feature_statistics(nw_loader loader, uint64_t ddof, double* means,
                                             double* variances, uint64_t count);
NW_API nw_error nw_loader_plan(nw_loader loader, nw_plan* out);
/* The owner of the memory: while it exists, views stay valid, even after the loader is freed. */
NW_API nw_error nw_loader_pages(nw_loader loader, nw_pages* out);
/* The address and size of the dataset's memory. */
NW_API nw_error nw_pages_range(nw_pages pages, void** data, size_t* bytes, nw_access* access);
/* Lets other processes open the segment of a loader with `publish_later`. */
NW_API nw_error nw_loader_publish(nw_loader loader);
/* The segment that holds the dataset. Errors: NW_INVALID_ARGUMENT (the memory is no published segment). */
NW_API nw_error nw_loader_segment(nw_loader loader, nw_segment* out);
/* How the elements of each batch are arranged. */
NW_API nw_error nw_loader_layout(nw_loader loader, nw_layout* out);

#endif
