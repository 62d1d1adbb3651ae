// The Python object that owns a handle.
#include "adopted.hpp"

namespace nodewise::python {
namespace {

// clang-format off
struct HandleObject {
  PyObject_HEAD
  void* handle;
};
// clang-format on

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  void* handle = reinterpret_cast<HandleObject*>(self)->handle;
  {
    // The last owner of memory unmaps it, which takes time. Objects die while an exception is set, too.
    PyObject *kind, *value, *trace;
    PyErr_Fetch(&kind, &value, &trace);
    {
      const Released released;
      nw_free(handle);
    }
    give_back_released();
    PyErr_Restore(kind, value, trace);
  }
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* close(PyObject* self, PyObject*) {
  auto* object = reinterpret_cast<HandleObject*>(self);
  void* handle = object->handle;
  object->handle = nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_free(handle);
  }
  give_back_released();
  if (error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"close", close, METH_NOARGS, "Frees the handle now. Further calls do nothing."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_methods, methods},
    {Py_tp_doc, const_cast<char*>("Owns an object of the library.")},
    {0, nullptr},
};
PyType_Spec spec = {"nodewise._native.Handle", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

PyObject* own_handle(State& state, void* handle) {
  PyObject* self = PyType_GenericAlloc(state.handle_type, 0);
  if (self == nullptr) {
    nw_free(handle);
    return nullptr;
  }
  reinterpret_cast<HandleObject*>(self)->handle = handle;
  return self;
}

void* handle_of(State& state, PyObject* object) {
  if (!PyObject_TypeCheck(object, state.handle_type)) {
    PyErr_Format(PyExc_TypeError, "needs a handle of nodewise, and was given %R", object);
    return nullptr;
  }
  void* handle = reinterpret_cast<HandleObject*>(object)->handle;
  if (handle == nullptr) refuse("this object of nodewise was closed");
  return handle;
}

bool add_handle_type(PyObject* module) {
  PyObject* type = PyType_FromModuleAndSpec(module, &spec, nullptr);
  state_of(module).handle_type = reinterpret_cast<PyTypeObject*>(type);
  return type != nullptr && PyModule_AddObjectRef(module, "Handle", type) == 0;
}

}  // namespace nodewise::python
