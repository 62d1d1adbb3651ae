/* What all parts of the C interface use: errors, handles, texts, and the enumerations of the library.
 *
 * Calls return an nw_error: NW_OK, or the kind of what went wrong. No C++ exception leaves a call. The
 * message of the last error of a thread is what nw_last_message() gives.
 *
 * Objects are named by handles. A handle is a number, not an address: a call that is given a handle that was
 * freed, or one of another kind, fails with NW_INVALID_ARGUMENT. Each handle that a call gives is freed once
 * by nw_free(). Objects keep what they need: a topology may be freed while plans that were made from it are
 * in use.
 *
 * Structs of options begin with their own size, and zero is the default of every member:
 *
 *     nw_loader_options options = {sizeof options};
 *     options.workers = 4;
 *
 * So programs that were compiled with an earlier version of these headers go on working. A null pointer to
 * options means the defaults. Members that this version of the library does not know are refused unless they
 * are zero.
 *
 * A call that fails writes NULL to the handles and texts that it would have given.
 *
 * Thread class, unless stated otherwise: any thread. Calls that change one object, such as a stream, are for
 * one thread at a time. */
#ifndef NODEWISE_C_BASE_H
#define NODEWISE_C_BASE_H

#include <stddef.h>
#include <stdint.h>

/* The version of these headers; nw_version() gives that of the library. */
#define NW_VERSION_MAJOR 0
#define NW_VERSION_MINOR 1
#define NW_VERSION_PATCH 0

#if defined(__cplusplus)
#define NW_API extern "C" __attribute__((visibility("default")))
#else
#define NW_API extern __attribute__((visibility("default")))
#endif

/* The kinds of errors. Their numbers and meanings never change; later versions may have more of them. */
typedef int32_t nw_error;
enum {
  NW_OK = 0,
  NW_OUT_OF_RANGE = 1,     /* an index past the end: of a batch, row, column or node */
  NW_INVALID_ARGUMENT = 2, /* an argument that is wrong on every machine; a handle that was freed */
  NW_FORMAT = 3,           /* a file or text that is not what it should be */
  NW_SYSTEM = 4,           /* the system refused a call; nw_last_errno() has its errno */
  NW_PLACEMENT = 5,        /* a required placement is impossible, was not achieved, or cannot be verified */
  NW_OWNER_DIED = 6,       /* a process died while it held a mutex */
  NW_BROKEN_BARRIER = 7,   /* a party of a barrier gave up */
  NW_OUT_OF_MEMORY = 8,    /* there is no more memory */
  NW_FOREIGN = 9,          /* a function of the caller failed, or the C++ library threw an exception */
  NW_STOPPED = 10,         /* the stop token of the call was requested */
  NW_THREADS = 11          /* the system does not let OpenMP start the threads that the call needs */
};

/* The name of an error: "out-of-range", ...; "" for a number that is no error. Valid for ever. */
NW_API const char* nw_error_name(nw_error error);
/* The message of the last error of the calling thread, for people: the call, the thing, the numbers and the
 * remedy. "" if there was none. Valid until the next error of this thread. */
NW_API const char* nw_last_message(void);
/* The errno of the last error of the calling thread, or 0. */
NW_API int32_t nw_last_errno(void);
/* The version of the library, "0.1.0". Valid for ever. */
NW_API const char* nw_version(void);

/* Handles. Each kind is a type of its own, so that compilers tell them apart. NULL is no object. */
typedef struct nw_topology_object* nw_topology;
typedef struct nw_plan_object* nw_plan;
typedef struct nw_source_object* nw_source;
typedef struct nw_stop_object* nw_stop;
typedef struct nw_team_object* nw_team;
typedef struct nw_loader_object* nw_loader;
typedef struct nw_pages_object* nw_pages;
typedef struct nw_stream_object* nw_stream;
typedef struct nw_lease_object* nw_lease;
typedef struct nw_placement_object* nw_placement;
typedef struct nw_segment_object* nw_segment;
typedef struct nw_segment_list_object* nw_segment_list;
typedef struct nw_objects_object* nw_objects;
typedef struct nw_value_object* nw_value;
typedef struct nw_array_object* nw_array;
typedef struct nw_mutex_object* nw_mutex;
typedef struct nw_event_object* nw_event;
typedef struct nw_barrier_object* nw_barrier;
typedef struct nw_ring_object* nw_ring;
typedef struct nw_ring_producer_object* nw_ring_producer;
typedef struct nw_ring_consumer_object* nw_ring_consumer;
typedef struct nw_ring_loan_object* nw_ring_loan;
typedef struct nw_ring_lease_object* nw_ring_lease;
typedef struct nw_manager_object* nw_manager;
typedef struct nw_transaction_object* nw_transaction;
typedef struct nw_managed_object* nw_managed;
typedef struct nw_managed_list_object* nw_managed_list;
typedef struct nw_managed_dict_object* nw_managed_dict;
typedef struct nw_pools_object* nw_pools;

/* Frees a handle of any kind. NULL is allowed. The object is destroyed when no other object and no running
 * call uses it. Fails with NW_INVALID_ARGUMENT if the handle was freed before. */
NW_API nw_error nw_free(void* handle);

/* Texts that a call allocates end with a zero byte, and are freed by nw_text_free(). NULL is allowed. */
NW_API void nw_text_free(char* text);

/* Element types. */
typedef int32_t nw_dtype;
enum {
  NW_DTYPE_NONE = 0, /* in options: not set */
  NW_F64 = 1,
  NW_F32 = 2,
  NW_F16 = 3,
  NW_BF16 = 4,
  NW_I64 = 5,
  NW_I32 = 6,
  NW_I16 = 7,
  NW_I8 = 8,
  NW_U64 = 9,
  NW_U32 = 10,
  NW_U16 = 11,
  NW_U8 = 12
};
/* "f64", "bf16", ...; "" for a number that is no element type. Valid for ever. */
NW_API const char* nw_dtype_name(nw_dtype dtype);
/* The element type with this name, of nodewise ("f64") or NumPy ("float64"); NW_DTYPE_NONE for any other
 * text. */
NW_API nw_dtype nw_dtype_of_name(const char* name);
/* 1, 2, 4 or 8; 0 for a number that is no element type. */
NW_API size_t nw_dtype_bytes(nw_dtype dtype);

/* How the elements of a batch are arranged (docs/layouts.md). */
typedef int32_t nw_layout;
enum { NW_ROWS = 0, NW_COLUMNS = 1, NW_TILES = 2 };
/* "rows", ...; "" for a number that is no layout. Valid for ever. */
NW_API const char* nw_layout_name(nw_layout layout);

typedef int32_t nw_access;
enum { NW_READ_ONLY = 0, NW_READ_WRITE = 1 };

/* The shape, element type and batch size of a dataset. A batch is batch_size consecutive rows; the last one
 * may have fewer. */
typedef struct nw_dataset {
  uint64_t samples;    /* rows; may be 0 */
  uint64_t features;   /* columns; at least 1 */
  uint64_t batch_size; /* in rows; at least 1 */
  nw_dtype dtype;
  int32_t reserved; /* 0 */
} nw_dataset;

/* A view of a batch: rows x cols elements at `data`, which nothing copied. Element (row, col) is
 * row * row_stride + col * col_stride elements from `data`, in the layouts rows and columns. In tiles, which
 * strides cannot describe, both are 0; docs/layouts.md has the formula. A view does not keep the memory: it
 * is valid as long as the object that gave it, or an nw_pages of that object. `data` may be written only if
 * `access` is NW_READ_WRITE. */
typedef struct nw_view {
  void* data;
  uint64_t rows;
  uint64_t cols;
  int64_t row_stride; /* in elements */
  int64_t col_stride; /* in elements */
  nw_dtype dtype;
  nw_layout layout;
  nw_access access;
  int32_t tile_rows;    /* the rows of a full tile; 0 unless the layout is NW_TILES */
  uint64_t reserved[2]; /* 0 */
} nw_view;

/* A half-open range, [start, stop). */
typedef struct nw_range {
  uint64_t start;
  uint64_t stop;
} nw_range;

/* A token that ends a long call early: a call that was given it fails with NW_STOPPED after
 * nw_stop_request(). */
NW_API nw_error nw_stop_make(nw_stop* out);
/* As nw_stop_make(). In addition, calls that are given the token ask `poll(user)` now and then (at most some
 * hundred times a second), and stop if it returns a number other than 0. Only the thread that made the token
 * asks, so make the token on the thread that will make the call. */
NW_API nw_error nw_stop_make_polled(int32_t (*poll)(void* user), void* user, nw_stop* out);
/* Requests the end of the calls that were given the token. A token cannot be reset. */
NW_API nw_error nw_stop_request(nw_stop stop);

/* The mean of `count` elements at `data`, computed on the calling thread: the exact sum, divided and rounded
 * once (docs/means.md). The mean of 0 elements is NaN. `data` needs no alignment. */
NW_API nw_error nw_mean(const void* data, nw_dtype dtype, uint64_t count, double* out);

#endif
