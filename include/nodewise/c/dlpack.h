/* DLPack: tensors that array libraries hand to one another without copying them. Tensors are passed as
 * pointers to the structs of dlpack.h: `versioned` 1 means DLManagedTensorVersioned (DLPack 1), and 0 means
 * DLManagedTensor, the form before. */
#ifndef NODEWISE_C_DLPACK_H
#define NODEWISE_C_DLPACK_H

#include <nodewise/c/loader.h>

/* Flags of a tensor, with the numbers of dlpack.h. */
enum {
  NW_DLPACK_READ_ONLY = 1, /* memory that its owner may not write is read-only anyway */
  NW_DLPACK_COPIED = 2     /* the memory is a copy that the consumer has for itself */
};

/* Makes a tensor of the array at `data`, and keeps `pages`, in which the array must lie, until the tensor's
 * deleter is called. Any thread may call the deleter, at any moment, also while the process ends; it needs no
 * lock of an interpreter. `shape` and `strides` have `ndim` numbers; strides are in elements and may be
 * negative. `strides` may be null: row-major without gaps. The tensor has strides, no byte offset, and, if it
 * has no elements, null as its data. Errors: NW_INVALID_ARGUMENT, also for memory that is read-only unless
 * `versioned` is 1. */
NW_API nw_error nw_dlpack_export(nw_pages pages, const void* data, int32_t ndim, const int64_t* shape,
                                 const int64_t* strides, nw_dtype dtype, uint64_t flags, int32_t versioned,
                                 void** out);
/* Calls the deleter of a tensor. NULL is allowed. */
NW_API nw_error nw_dlpack_delete(void* tensor, int32_t versioned);
/* A loader over the memory of a tensor, where it is; nothing is copied. The call takes over `tensor`: its
 * deleter is called once, by the thread that frees the last owner of the memory, or by this call if it fails.
 * The tensor must be a matrix in memory of the CPU, row-major without gaps, of an element type of nodewise,
 * and of major version 1. With its flag of read-only memory, views are read-only. Errors:
 * NW_INVALID_ARGUMENT (what the tensor is instead), and those of nw_loader_adopt(). */
NW_API nw_error nw_dlpack_import(void* tensor, int32_t versioned, uint64_t batch_size,
                                 const nw_loader_options* options, nw_loader* out);

#endif
