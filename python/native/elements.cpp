// The base class of shared arrays: an object whose buffer is that of a Memory. Python 3.11 has no other way
// to give a class of Python's own a buffer.
#include "native.hpp"

namespace nodewise::python {
namespace {

// clang-format off
struct ElementsObject {
  PyObject_HEAD
  PyObject* memory;  // null: not set yet
};
// clang-format on

PyObject*& memory_in(PyObject* self) {
  return reinterpret_cast<ElementsObject*>(self)->memory;
}

PyObject* share(PyObject* self, PyObject* memory) {
  PyObject* old = memory_in(self);
  memory_in(self) = Py_NewRef(memory);
  Py_XDECREF(old);
  Py_RETURN_NONE;
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  if (memory_in(self) != nullptr) return PyObject_GetBuffer(memory_in(self), view, flags);
  view->obj = nullptr;
  PyErr_SetString(PyExc_BufferError, "this object has no memory yet");
  return -1;
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(memory_in(self));
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"_share", share, METH_O, "Sets the object whose buffer this object gives."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_methods, methods},
    {Py_bf_getbuffer, reinterpret_cast<void*>(get_buffer)},
    {Py_tp_doc, const_cast<char*>("Elements in shared memory, as a buffer.")},
    {0, nullptr},
};
PyType_Spec spec = {"nodewise._native.Elements", sizeof(ElementsObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

bool add_elements_type(PyObject* module) {
  const Ref type(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return type && PyModule_AddObjectRef(module, "Elements", type.get()) == 0;
}

}  // namespace nodewise::python
