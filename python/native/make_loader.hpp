// What the functions that make loaders share.
#pragma once

#include "adopted.hpp"
#include "options.hpp"

namespace nodewise::python {

/// Sets `objects` to the arguments of a call. False with a Python exception if their number is wrong.
template <class... Objects>
bool unpack(PyObject* const* given, Py_ssize_t count, Objects*&... objects) {
  if (count != static_cast<Py_ssize_t>(sizeof...(objects))) {
    PyErr_Format(PyExc_TypeError, "takes %zu arguments, and was given %zd", sizeof...(objects), count);
    return false;
  }
  ((objects = *given++), ...);
  return true;
}

/// Runs a call that makes a loader, with options and with Ctrl-C.
template <class Make>
PyObject* make_loader(PyObject* module, PyObject* dict, Make make) {
  give_back_released();
  State& state = state_of(module);
  Options options(state);
  if (!options.read(dict)) return nullptr;
  nw_loader loader = nullptr;
  nw_error error = NW_OUT_OF_MEMORY;
  {
    const Released released;
    if (const nw_loader_options* chosen = options.with_signals(released.thread()); chosen != nullptr)
      error = make(chosen, &loader);
  }
  return error == NW_OK ? own_handle(state, loader) : raise(error);
}

}  // namespace nodewise::python
