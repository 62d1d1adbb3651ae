/* A Manager keeps lists and dictionaries with names in a directory, for all processes of one user
 * (docs/manager.md). In a library that was built without LMDB, the calls that take a manager or a directory
 * fail with NW_INVALID_ARGUMENT, and the message says so.
 *
 * With a list or dictionary of a manager, each call is a transaction of its own. One of a change or a look
 * works inside that transaction, and is an error after it.
 *
 * Errors of all calls: NW_INVALID_ARGUMENT (the name belongs to the other kind), NW_FORMAT (stored data is
 * damaged), NW_SYSTEM. Calls that write also fail with NW_OUT_OF_MEMORY (the directory is full), NW_SYSTEM
 * (ENOSPC: its file system is full; EDEADLK: the calling thread is inside a change to which the handle
 * does not belong).
 *
 * Thread class: any thread; handles of a change or look: its thread. */
#ifndef NODEWISE_C_MANAGER_H
#define NODEWISE_C_MANAGER_H

#include <nodewise/c/base.h>

/* `max_bytes`: the most bytes that the directory may hold, at least 1 MiB; 0: its present limit, 1 GiB if it
 * is new. Errors: NW_SYSTEM (EEXIST, ENOENT, EPERM, ...), NW_FORMAT. */
NW_API nw_error nw_manager_create(const char* directory, uint64_t max_bytes, nw_manager* out);
NW_API nw_error nw_manager_open(const char* directory, uint64_t max_bytes, nw_manager* out);
NW_API nw_error nw_manager_open_or_create(const char* directory, uint64_t max_bytes, nw_manager* out);
/* The absolute path. */
NW_API nw_error nw_manager_directory(nw_manager manager, char** out);
NW_API nw_error nw_manager_max_bytes(nw_manager manager, uint64_t* out);

/* A name of 1 to 255 bytes stands for an empty list or dictionary until the first write to it. */
NW_API nw_error nw_manager_list(nw_manager manager, const char* name, nw_managed_list* out);
NW_API nw_error nw_manager_dict(nw_manager manager, const char* name, nw_managed_dict* out);
/* The names of all lists and dictionaries: keys without values. */
NW_API nw_error nw_manager_names(nw_manager manager, nw_managed* out);
/* Removes a list or dictionary. Writes 1, or 0 if there was none, to `removed`, which may be null. */
NW_API nw_error nw_manager_remove(nw_manager manager, const char* name, int32_t* removed);

/* Calls `body(user, transaction)`, and applies all its writes at once if it returns 0. If it returns another
 * number, nothing is written. The call then fails as the last call that failed with a handle of the
 * transaction, or with NW_FOREIGN if none did. `body` may be called twice: if the directory was full, and
 * room was made. The library frees the transaction. */
NW_API nw_error nw_manager_change(nw_manager manager, int32_t (*body)(void* user, nw_transaction transaction),
                                  void* user);
/* The same for reading: everything is as it was when the look began. */
NW_API nw_error nw_manager_look(nw_manager manager, int32_t (*body)(void* user, nw_transaction transaction),
                                void* user);
NW_API nw_error nw_transaction_list(nw_transaction transaction, const char* name, nw_managed_list* out);
NW_API nw_error nw_transaction_dict(nw_transaction transaction, const char* name, nw_managed_dict* out);
NW_API nw_error nw_transaction_names(nw_transaction transaction, nw_managed* out);
NW_API nw_error nw_transaction_remove(nw_transaction transaction, const char* name, int32_t* removed);

typedef int32_t nw_managed_kind;
enum {
  NW_NOTHING = 0,
  NW_BOOLEAN = 1,
  NW_INTEGER = 2,
  NW_REAL = 3,
  NW_BYTES = 4,   /* text, or any bytes */
  NW_ELEMENTS = 5 /* an array */
};
typedef struct nw_managed_value {
  size_t size; /* set by the caller: sizeof(nw_managed_value) */
  nw_managed_kind kind;
  nw_dtype dtype;        /* NW_ELEMENTS: the element type; else 0 */
  int64_t integer;       /* NW_INTEGER; NW_BOOLEAN: 0 or 1 */
  double real;           /* NW_REAL */
  const void* data;      /* NW_BYTES; NW_ELEMENTS: the elements, row-major */
  size_t bytes;          /* at `data` */
  const uint64_t* shape; /* NW_ELEMENTS: the lengths of `ndim` dimensions, at most 32 */
  int32_t ndim;
  int32_t reserved; /* 0 */
} nw_managed_value;

/* What was read: any number of values, with their keys if they come from a dictionary. */
NW_API nw_error nw_managed_count(nw_managed managed, size_t* out);
/* Pointers in the value are valid until `managed` is freed. Errors: NW_OUT_OF_RANGE. */
NW_API nw_error nw_managed_get(nw_managed managed, size_t index, nw_managed_value* out);
NW_API nw_error nw_managed_key(nw_managed managed, size_t index, const char** key, size_t* bytes);

/* Lists. An index past the end is NW_OUT_OF_RANGE. */
NW_API nw_error nw_managed_list_size(nw_managed_list list, uint64_t* out);
NW_API nw_error nw_managed_list_get(nw_managed_list list, uint64_t index, nw_managed* out);
/* All values at one moment. */
NW_API nw_error nw_managed_list_values(nw_managed_list list, nw_managed* out);
/* Appends `count` values at once, and writes the index of the first to `index`, which may be null. */
NW_API nw_error nw_managed_list_append(nw_managed_list list, const nw_managed_value* values, size_t count,
                                       uint64_t* index);
NW_API nw_error nw_managed_list_set(nw_managed_list list, uint64_t index, const nw_managed_value* value);
/* Removes the last or the first value. Writes NULL if the list is empty. */
NW_API nw_error nw_managed_list_pop_back(nw_managed_list list, nw_managed* out);
NW_API nw_error nw_managed_list_pop_front(nw_managed_list list, nw_managed* out);
NW_API nw_error nw_managed_list_erase(nw_managed_list list, uint64_t index);
NW_API nw_error nw_managed_list_clear(nw_managed_list list);

/* Dictionaries. A key is at most 500 bytes of any value. */
NW_API nw_error nw_managed_dict_size(nw_managed_dict dict, uint64_t* out);
/* Writes NULL if there is no such key. */
NW_API nw_error nw_managed_dict_get(nw_managed_dict dict, const char* key, size_t key_bytes, nw_managed* out);
/* All keys without values, or with them, at one moment, in the order of the keys. */
NW_API nw_error nw_managed_dict_keys(nw_managed_dict dict, nw_managed* out);
NW_API nw_error nw_managed_dict_items(nw_managed_dict dict, nw_managed* out);
NW_API nw_error nw_managed_dict_set(nw_managed_dict dict, const char* key, size_t key_bytes,
                                    const nw_managed_value* value);
/* Writes 1, or 0 if there was no such key, to `erased`, which may be null. */
NW_API nw_error nw_managed_dict_erase(nw_managed_dict dict, const char* key, size_t key_bytes,
                                      int32_t* erased);
NW_API nw_error nw_managed_dict_clear(nw_managed_dict dict);

#endif
