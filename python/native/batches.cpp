// The base class of loaders, which gives full batches without running Python code: get_batch() is called
// once for each batch of a training loop.
#include "native.hpp"

namespace nodewise::python {
namespace {

// clang-format off
struct BatchesObject {
  PyObject_HEAD
  PyObject* full;  // an array of three dimensions; null: there is none to take batches from
  Py_ssize_t count;
};
// clang-format on

BatchesObject* of(PyObject* self) {
  return reinterpret_cast<BatchesObject*>(self);
}

PyObject* get_batch(PyObject* self, PyObject* index) {
  const BatchesObject& batches = *of(self);
  if (batches.full != nullptr && PyLong_CheckExact(index)) {
    int overflow = 0;
    const long long batch = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow == 0 && batch >= 0 && batch < batches.count) {
      const Ref full(Py_NewRef(batches.full));  // close() may take it away meanwhile
      return PySequence_GetItem(full.get(), static_cast<Py_ssize_t>(batch));
    }
  }
  // The short last batch, integers of other types, and errors.
  return PyObject_CallMethod(self, "_other_batch", "(O)", index);
}

PyObject* serve(PyObject* self, PyObject* arguments) {
  PyObject* full = nullptr;
  Py_ssize_t count = 0;
  if (PyArg_ParseTuple(arguments, "On", &full, &count) == 0) return nullptr;
  PyObject* old = of(self)->full;
  of(self)->full = full == Py_None ? nullptr : Py_NewRef(full);
  of(self)->count = count;
  Py_XDECREF(old);
  Py_RETURN_NONE;
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(of(self)->full);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"get_batch", get_batch, METH_O,
     "get_batch($self, batch_idx, /)\n--\n\n"
     "Batch `batch_idx` as an array of (rows, features) that shares the buffer.\n\n"
     "Raises OutOfRange, which is an IndexError, if there is no such batch (also for negative\n"
     "numbers), and InvalidArgument if the batches are arranged in tiles, which strides cannot\n"
     "describe."},
    {"_serve", serve, METH_VARARGS,
     "Sets the array that full batches are taken from, or None, and their number."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
    {Py_tp_methods, methods},
    {Py_tp_doc, const_cast<char*>("The batches of a loader.")},
    {0, nullptr},
};
PyType_Spec spec = {"nodewise._native.Batches", sizeof(BatchesObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

}  // namespace

bool add_batches_type(PyObject* module) {
  const Ref type(PyType_FromModuleAndSpec(module, &spec, nullptr));
  return type && PyModule_AddObjectRef(module, "Batches", type.get()) == 0;
}

}  // namespace nodewise::python
