/* Small objects with names, which processes share: values, arrays, mutexes, events and barriers. They lie in
 * a segment (docs/shared-memory.md). The first process that asks for a name makes the object; every other
 * process gets the same one.
 *
 * A time is in seconds. A negative time means: without a limit. A program that has signals to handle, such as
 * an interpreter, waits for short times, again and again. Only a barrier would be broken by that; so its wait
 * takes a stop token.
 *
 * Thread class: any thread, of any process that has the segment open. */
#ifndef NODEWISE_C_OBJECTS_H
#define NODEWISE_C_OBJECTS_H

#include <nodewise/c/loader.h>

typedef struct nw_objects_options {
  size_t size;      /* set by the caller: sizeof(nw_objects_options) */
  uint64_t bytes;   /* room for the objects; 0: 1 MiB */
  int32_t keep;     /* 1: the segment stays when no process holds it */
  int32_t reserved; /* 0 */
} nw_objects_options;

/* Makes a segment for objects. `name` "" makes a memfd. Errors: NW_INVALID_ARGUMENT (bad size or name),
 * NW_SYSTEM (EEXIST: the name is taken), NW_PLACEMENT (no room). */
NW_API nw_error nw_objects_create(const char* name, const nw_objects_options* options, nw_objects* out);
/* Opens a segment that exists. Errors: those of nw_segment_open(), NW_INVALID_ARGUMENT (it holds something
 * else), NW_SYSTEM (ENOTSUP: it was made in another pid namespace). */
NW_API nw_error nw_objects_open(const char* name, double patience, nw_objects* out);
NW_API nw_error nw_objects_open_descriptor(int32_t descriptor, nw_objects* out);
/* Opens the segment, or makes it if there is none. `options` are used only to make it. */
NW_API nw_error nw_objects_open_or_create(const char* name, const nw_objects_options* options,
                                          nw_objects* out);
/* The name, "" for a memfd. */
NW_API nw_error nw_objects_name(nw_objects objects, char** out);
/* The descriptor of a memfd, which the objects own; else -1. */
NW_API nw_error nw_objects_descriptor(nw_objects objects, int32_t* out);
NW_API nw_error nw_objects_bytes_left(nw_objects objects, uint64_t* out);
/* Removes the name now, as nw_segment_remove() does. */
NW_API nw_error nw_objects_remove(nw_objects objects);

typedef int32_t nw_object_kind;
enum { NW_VALUE = 0, NW_ARRAY = 1, NW_MUTEX = 2, NW_EVENT = 3, NW_BARRIER = 4 };
/* "value", ...; "" for a number that is no kind. Valid for ever. */
NW_API const char* nw_object_kind_name(nw_object_kind kind);
typedef struct nw_object_info {
  size_t size;    /* set by the caller: sizeof(nw_object_info) */
  uint64_t count; /* the elements of an array, or the parties of a barrier; else 1 */
  uint64_t bytes; /* the room that the object takes */
  nw_object_kind kind;
  nw_dtype dtype; /* of a value or array; NW_DTYPE_NONE for types that only C++ has */
  char name[64];
} nw_object_info;
/* The number of objects, and one of them, in the order in which they were made. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_objects_count(nw_objects objects, size_t* out);
NW_API nw_error nw_objects_describe(nw_objects objects, size_t index, nw_object_info* out);

/* Each of the following gets the object called `name`, of 1 to 63 bytes, and makes it if there is none.
 * Errors: NW_INVALID_ARGUMENT (bad name, or the object has another kind, type or size), NW_OUT_OF_MEMORY (no
 * room; there are 512 objects). A handle keeps the segment mapped. */

/* A value, which others see change as a whole. `initial` points to its first value, of type `dtype`; null: 0.
 */
NW_API nw_error nw_objects_value(nw_objects objects, const char* name, nw_dtype dtype, const void* initial,
                                 nw_value* out);
NW_API nw_error nw_value_dtype(nw_value value, nw_dtype* out);
/* `dtype` must be the type of the value; the pointers point to numbers of this type. */
NW_API nw_error nw_value_load(nw_value value, nw_dtype dtype, void* out);
NW_API nw_error nw_value_store(nw_value value, nw_dtype dtype, const void* number);
/* Stores a number, and writes the one that was there to `before`, which may be null. */
NW_API nw_error nw_value_exchange(nw_value value, nw_dtype dtype, const void* number, void* before);
/* Stores `desired` and writes 1 to `stored` if the value equals `expected` byte by byte. Otherwise writes 0,
 * and the present value to `expected`. */
NW_API nw_error nw_value_compare_exchange(nw_value value, nw_dtype dtype, void* expected, const void* desired,
                                          int32_t* stored);
/* Adds a number, and writes the value that was there to `before`, which may be null. Integers wrap around. */
NW_API nw_error nw_value_fetch_add(nw_value value, nw_dtype dtype, const void* number, void* before);

/* An array of `count` elements, which are 0 at first. Its elements are plain memory: order the accesses to
 * them, for example by a mutex. */
NW_API nw_error nw_objects_array(nw_objects objects, const char* name, nw_dtype dtype, uint64_t count,
                                 nw_array* out);
/* The address of the elements, which is aligned to 128 bytes, and their number and type. The address is valid
 * until the array is freed. Each pointer may be null. */
NW_API nw_error nw_array_data(nw_array array, void** data, uint64_t* count, nw_dtype* dtype);
/* An owner of the memory of the elements, for nw_dlpack_export(). */
NW_API nw_error nw_array_pages(nw_array array, nw_pages* out);

/* A mutex between processes, not recursive. Unlock it before its last handle is freed. If a process dies
 * while it holds the mutex, each attempt to lock it fails with NW_OWNER_DIED until the data is repaired. */
NW_API nw_error nw_objects_mutex(nw_objects objects, const char* name, nw_mutex* out);
/* Locks the mutex. Writes 1, or 0 if the time ended first; with a timeout of 0 the call does not wait.
 * Errors: NW_OWNER_DIED (the caller does not hold the mutex), NW_SYSTEM (EDEADLK: the calling thread holds
 * it, and the timeout is not 0). */
NW_API nw_error nw_mutex_lock(nw_mutex mutex, double timeout, int32_t* locked);
/* Does nothing if the calling thread does not hold the mutex. */
NW_API nw_error nw_mutex_unlock(nw_mutex mutex);
/* Locks the mutex. If a process died while it held the mutex, calls `repair(user)` and marks the data as
 * repaired, unless `repair` returns a number other than 0: the call then fails with NW_FOREIGN. Then unlocks
 * the mutex. `repair` may be null: the data needs no repair. Writes 1 to `repaired`, which may be null, if
 * the data was marked, else 0. */
NW_API nw_error nw_mutex_repair(nw_mutex mutex, int32_t (*repair)(void* user), void* user, int32_t* repaired);

/* A flag that processes can wait for, not set at first. */
NW_API nw_error nw_objects_event(nw_objects objects, const char* name, nw_event* out);
NW_API nw_error nw_event_set(nw_event event);
NW_API nw_error nw_event_clear(nw_event event);
NW_API nw_error nw_event_is_set(nw_event event, int32_t* out);
/* Waits until the flag is set. Writes 1, or 0 if the time ended first. */
NW_API nw_error nw_event_wait(nw_event event, double timeout, int32_t* out);

/* A barrier for `parties` callers, 1 to 65535. */
NW_API nw_error nw_objects_barrier(nw_objects objects, const char* name, uint32_t parties, nw_barrier* out);
/* Waits for the other parties. Writes how many of them had arrived before. If the time ends first, or `stop`
 * is requested, this breaks the barrier for all parties, and fails with NW_BROKEN_BARRIER or NW_STOPPED.
 * `stop` may be NULL. Errors: NW_BROKEN_BARRIER (it is broken, or was broken or reset during the wait). */
NW_API nw_error nw_barrier_wait(nw_barrier barrier, double timeout, nw_stop stop, uint32_t* out);
/* Breaks the barrier: callers that wait, and later callers, fail until nw_barrier_reset(). */
NW_API nw_error nw_barrier_give_up(nw_barrier barrier);
/* Makes a broken barrier usable again. Callers that wait fail with NW_BROKEN_BARRIER. */
NW_API nw_error nw_barrier_reset(nw_barrier barrier);
typedef struct nw_barrier_info {
  size_t size; /* set by the caller: sizeof(nw_barrier_info) */
  uint32_t parties;
  uint32_t waiting; /* the parties that have arrived in this phase */
  int32_t broken;
  int32_t reserved; /* 0 */
} nw_barrier_info;
NW_API nw_error nw_barrier_describe(nw_barrier barrier, nw_barrier_info* out);

#endif
