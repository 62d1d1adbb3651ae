// An array in placed memory, which others get as a buffer (memory.cpp) or as a tensor of DLPack (dlpack.cpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "native.hpp"

namespace nodewise::python {

inline constexpr int most_dimensions = 3;

/// How many buffers and tensors of a memory are in use. Tensors are released on any thread, also when the
/// interpreter has ended, so the count is no Python object.
using Exports = std::atomic<Py_ssize_t>;

// clang-format off
struct MemoryObject {
  PyObject_HEAD
  PyObject* owner;  // of the pages
  char* data;
  Py_ssize_t bytes;
  Py_ssize_t itemsize;
  std::shared_ptr<Exports> exports;
  bool is_part;  // of another memory, which it is counted as an export of
  Py_ssize_t shape[most_dimensions];
  Py_ssize_t strides[most_dimensions];
  int dimensions;
  int readonly;
  char format[2];
};
// clang-format on

inline MemoryObject* memory_of(PyObject* self) {
  return reinterpret_cast<MemoryObject*>(self);
}

/// The state of the module that a type, or a class of Python that derives from it, belongs to. Null with a
/// Python exception for other types.
State* state_of_type(PyTypeObject* type);

extern PyMethodDef memory_methods[];

/// loader_import(capsule, batch_size, options)
PyObject* loader_import(PyObject* module, PyObject* const* given, Py_ssize_t count);

}  // namespace nodewise::python
