// The extension module: nodewise._native.
#include "native.hpp"

#include <chrono>
#include <cstdarg>
#include <cstring>
#include <thread>

namespace nodewise::python {

State& state_of(PyObject* module) {
  return *static_cast<State*>(PyModule_GetState(module));
}

PyObject* raise(nw_error error) {
  if (PyErr_Occurred() != nullptr) return nullptr;  // a signal handler's exception ended the call
  const Ref errors(PyImport_ImportModule("nodewise._errors"));
  if (!errors) return nullptr;
  const Ref exception(PyObject_CallMethod(
      errors.get(), "exception", "iNi", error,
      PyUnicode_DecodeUTF8(nw_last_message(), static_cast<Py_ssize_t>(std::strlen(nw_last_message())),
                           "surrogateescape"),
      nw_last_errno()));
  if (exception) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
  return nullptr;
}

bool refuse(const char* format, ...) {
  const Ref errors(PyImport_ImportModule("nodewise._errors"));
  const Ref kind(errors ? PyObject_GetAttrString(errors.get(), "InvalidArgument") : nullptr);
  if (kind) {
    std::va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(kind.get(), format, arguments);
    va_end(arguments);
  }
  return false;
}

void restore_thread(PyThreadState* thread) noexcept {
  try {
    PyEval_RestoreThread(thread);
  } catch (...) {  // the unwinding that ends the thread; it may not leave this block
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

namespace {

int execute(PyObject* module) {
  return add_handle_type(module) && add_memory_type(module) && add_batches_type(module) &&
                 add_elements_type(module) && PyModule_AddFunctions(module, objects_functions) == 0 &&
                 PyModule_AddFunctions(module, manager_functions) == 0 &&
                 PyModule_AddFunctions(module, ring_functions) == 0 &&
                 PyModule_AddStringConstant(module, "version", nw_version()) == 0
             ? 0
             : -1;
}

int traverse(PyObject* module, visitproc visit, void* arg) {
  State& state = state_of(module);
  Py_VISIT(state.handle_type);
  Py_VISIT(state.memory_type);
  return 0;
}

int clear(PyObject* module) {
  State& state = state_of(module);
  Py_CLEAR(state.handle_type);
  Py_CLEAR(state.memory_type);
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(execute)},
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "_native",
    "The C interface of nodewise for the package.",
    sizeof(State),
    loader_functions,
    slots,
    traverse,
    clear,
    [](void* module) { clear(static_cast<PyObject*>(module)); },
};

}  // namespace
}  // namespace nodewise::python

PyMODINIT_FUNC PyInit__native() {
  return PyModuleDef_Init(&nodewise::python::definition);
}
