// The exporter of memory: NumPy, memoryview and others get arrays over it by the buffer protocol. An array
// keeps the exporter, and the exporter keeps the pages, so the memory lives as long as its last array. The
// exporter knows nothing of the loader, so there is no cycle, which the garbage collector could not see
// through an array.
#include "memory.hpp"

#include <new>

namespace nodewise::python {
namespace {

MemoryObject* of(PyObject* self) {
  return memory_of(self);
}

// Gives the memory a count of exports: its own, or that of `whole`.
bool count_in(MemoryObject& memory, PyObject* whole) {
  try {
    memory.exports = whole != nullptr ? of(whole)->exports : std::make_shared<Exports>(0);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  memory.is_part = whole != nullptr;
  if (memory.is_part) ++*memory.exports;
  return true;
}

bool read_sizes(PyObject* tuple, Py_ssize_t* sizes, int dimensions) {
  for (int i = 0; i < dimensions; ++i) {
    sizes[i] = PyLong_AsSsize_t(PyTuple_GetItem(tuple, i));
    if (sizes[i] == -1 && PyErr_Occurred() != nullptr) return false;
  }
  return true;
}

// Whether every element of the array lies in the pages.
bool fits(const MemoryObject& memory, Py_ssize_t offset, std::size_t room) {
  Py_ssize_t last = offset;
  for (int i = 0; i < memory.dimensions; ++i) {
    if (memory.shape[i] == 0) return true;
    Py_ssize_t step = 0;
    if (memory.shape[i] < 0 || memory.strides[i] < 0 ||
        __builtin_mul_overflow(memory.shape[i] - 1, memory.strides[i], &step) ||
        __builtin_add_overflow(last, step, &last))
      return false;
  }
  Py_ssize_t end = 0;
  return offset >= 0 && !__builtin_add_overflow(last, memory.itemsize, &end) &&
         static_cast<std::size_t>(end) <= room;
}

// Memory(pages, offset, shape, strides, format, itemsize[, whole]). With `whole`, another Memory of the
// pages, this one is counted as an export of `whole` as long as it lives, and so are its own exports.
PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject *pages, *shape, *strides, *whole = nullptr;
  Py_ssize_t offset = 0, itemsize = 0;
  const char* format = nullptr;
  if (!PyArg_ParseTuple(arguments, "OnO!O!sn|O", &pages, &offset, &PyTuple_Type, &shape, &PyTuple_Type,
                        &strides, &format, &itemsize, &whole))
    return nullptr;
  State* state = state_of_type(type);
  if (state == nullptr) return nullptr;
  if (whole != nullptr && !PyObject_TypeCheck(whole, state->memory_type)) {
    PyErr_SetString(PyExc_TypeError, "Memory: `whole` is no Memory");
    return nullptr;
  }
  void* handle = handle_of(*state, pages);
  if (handle == nullptr) return nullptr;
  void* data = nullptr;
  std::size_t room = 0;
  nw_access access = NW_READ_ONLY;
  if (const nw_error error = nw_pages_range(static_cast<nw_pages>(handle), &data, &room, &access);
      error != NW_OK)
    return raise(error);
  Ref self(PyType_GenericAlloc(type, 0));
  if (!self) return nullptr;
  MemoryObject& memory = *of(self.get());
  new (&memory.exports) std::shared_ptr<Exports>();
  if (!count_in(memory, whole)) return nullptr;
  const Py_ssize_t dimensions = PyTuple_Size(shape);
  if (dimensions > most_dimensions || PyTuple_Size(strides) != dimensions) {
    PyErr_SetString(PyExc_ValueError, "Memory: at most three dimensions, each with a stride");
    return nullptr;
  }
  memory.dimensions = static_cast<int>(dimensions);
  memory.itemsize = itemsize;
  memory.format[0] = format[0];
  memory.readonly = access == NW_READ_ONLY ? 1 : 0;
  if (!read_sizes(shape, memory.shape, memory.dimensions) ||
      !read_sizes(strides, memory.strides, memory.dimensions))
    return nullptr;
  if (!fits(memory, offset, room)) {
    PyErr_SetString(PyExc_ValueError, "Memory: the array would reach outside of the pages");
    return nullptr;
  }
  memory.bytes = itemsize;
  for (int i = 0; i < memory.dimensions; ++i) memory.bytes *= memory.shape[i];
  static char nothing;  // a buffer of no bytes has an address, too
  memory.data = data == nullptr ? &nothing : static_cast<char*>(data) + offset;
  Py_INCREF(pages);
  memory.owner = pages;
  return self.release();
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  MemoryObject& memory = *of(self);
  Py_XDECREF(memory.owner);
  if (memory.is_part) --*memory.exports;
  memory.exports.~shared_ptr();
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

// Whether the elements follow one another, with the last dimension changing fastest, or the first one.
bool is_contiguous(const MemoryObject& memory, bool last_fastest) {
  Py_ssize_t expected = memory.itemsize;
  for (int step = 0; step < memory.dimensions; ++step) {
    const int i = last_fastest ? memory.dimensions - 1 - step : step;
    if (memory.shape[i] == 0) return true;
    if (memory.shape[i] > 1 && memory.strides[i] != expected) return false;
    expected *= memory.shape[i];
  }
  return true;
}

// Whether the memory is as a consumer's flags ask for.
bool suits(const MemoryObject& memory, int flags) {
  const auto wants = [flags](int all) { return (flags & all) == all; };
  const bool by_rows = is_contiguous(memory, true), by_columns = is_contiguous(memory, false);
  if (wants(PyBUF_C_CONTIGUOUS) || !wants(PyBUF_STRIDES)) return by_rows;
  if (wants(PyBUF_F_CONTIGUOUS)) return by_columns;
  return !wants(PyBUF_ANY_CONTIGUOUS) || by_rows || by_columns;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  MemoryObject& memory = *of(self);
  view->obj = nullptr;
  if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE && memory.readonly != 0) {
    PyErr_SetString(PyExc_BufferError, "this memory of nodewise may only be read");
    return -1;
  }
  const bool strided = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
  if (!suits(memory, flags)) {
    PyErr_SetString(PyExc_BufferError,
                    "the elements of this memory of nodewise do not follow one another as the caller asks");
    return -1;
  }
  if ((flags & PyBUF_FORMAT) == PyBUF_FORMAT && memory.format[0] == '\0') {
    PyErr_SetString(PyExc_BufferError,
                    "the buffer protocol has no format for bfloat16; use DLPack, or NumPy "
                    "with the package ml_dtypes");
    return -1;
  }
  Py_INCREF(self);
  view->obj = self;
  view->buf = memory.data;
  view->len = memory.bytes;
  view->itemsize = memory.itemsize;
  view->readonly = memory.readonly;
  view->ndim = (flags & PyBUF_ND) == PyBUF_ND ? memory.dimensions : 1;
  view->format = (flags & PyBUF_FORMAT) == PyBUF_FORMAT ? memory.format : nullptr;
  view->shape = (flags & PyBUF_ND) == PyBUF_ND ? memory.shape : nullptr;
  view->strides = strided ? memory.strides : nullptr;
  view->suboffsets = nullptr;
  view->internal = nullptr;
  ++*memory.exports;
  return 0;
}

void release_buffer(PyObject* self, Py_buffer*) {
  --*of(self)->exports;
}

PyObject* exports(PyObject* self, void*) {
  return PyLong_FromSsize_t(*of(self)->exports);
}

PyObject* readonly(PyObject* self, void*) {
  return PyBool_FromLong(of(self)->readonly);
}

PyGetSetDef properties[] = {
    {"readonly", readonly, nullptr, "Whether the memory may only be read.", nullptr},
    {"exports", exports, nullptr, "How many buffers and tensors of this memory are in use.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {Py_bf_releasebuffer, reinterpret_cast<void*>(release_buffer)},
    {Py_tp_getset, properties},
    {Py_tp_methods, memory_methods},
    {Py_tp_doc,
     const_cast<char*>("Memory(pages, offset, shape, strides, format, itemsize, whole=None): an array in "
                       "placed memory, as a buffer and as a tensor.")},
    {0, nullptr},
};
PyType_Spec spec = {"nodewise._native.Memory", sizeof(MemoryObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

State* state_of_type(PyTypeObject* type) {
  for (; type != nullptr; type = static_cast<PyTypeObject*>(PyType_GetSlot(type, Py_tp_base))) {
    if (void* state = PyType_GetModuleState(type); state != nullptr) return static_cast<State*>(state);
    PyErr_Clear();
  }
  PyErr_SetString(PyExc_TypeError, "Memory: the type belongs to no module");
  return nullptr;
}

bool add_memory_type(PyObject* module) {
  PyObject* type = PyType_FromModuleAndSpec(module, &spec, nullptr);
  state_of(module).memory_type = reinterpret_cast<PyTypeObject*>(type);
  return type != nullptr && PyModule_AddObjectRef(module, "Memory", type) == 0;
}

}  // namespace nodewise::python
