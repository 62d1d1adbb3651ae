// What the parts of the extension share. The extension uses nodewise through the C interface, and Python
// through the limited API of CPython 3.11, so one build serves that version and all later ones.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <nodewise/c.h>

#include <cstddef>
#include <cstdint>

namespace nodewise::python {

/// What a module holds. Each interpreter has a module of its own.
struct State {
  PyTypeObject* handle_type = nullptr;
  PyTypeObject* memory_type = nullptr;
};
State& state_of(PyObject* module);

/// Owns a reference.
class Ref {
 public:
  Ref() = default;
  explicit Ref(PyObject* owned) : object_(owned) {}
  Ref(Ref&& other) noexcept : object_(other.release()) {}
  Ref& operator=(Ref&& other) noexcept {
    PyObject* old = object_;
    object_ = other.release();
    Py_XDECREF(old);
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }
  PyObject* get() const { return object_; }
  PyObject* release() {
    PyObject* object = object_;
    object_ = nullptr;
    return object;
  }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

/// Gets the interpreter back. While the interpreter ends, it does not give itself to a daemon thread any
/// more; before Python 3.14 it ends that thread instead, by unwinding its stack. C++ between it and Python's
/// code cannot be unwound without the interpreter, so such a thread sleeps until the process has ended.
void restore_thread(PyThreadState* thread) noexcept;

/// Releases the interpreter while the object exists.
class Released {
 public:
  Released() : thread_(PyEval_SaveThread()) {}
  ~Released() { restore_thread(thread_); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;
  PyThreadState* thread() const { return thread_; }

 private:
  PyThreadState* thread_;
};

/// Raises the exception for an error of the calling thread's last call, and returns null. If an exception
/// is set already (a signal handler raised it), that one stays.
PyObject* raise(nw_error error);
/// Raises nodewise.InvalidArgument with a message that is made as by PyErr_Format(). Returns false.
bool refuse(const char* format, ...);

/// For nw_stop_make_polled(): looks for signals. `thread` is the state of the thread that makes the call,
/// which has released the interpreter. An exception of a signal handler stays set, and ends the call.
std::int32_t signalled(void* thread);

/// A Python object that owns a handle of the C interface, and frees it.
PyObject* own_handle(State& state, void* handle);
/// The handle of such an object; null with a Python exception for any other object.
void* handle_of(State& state, PyObject* object);

bool add_handle_type(PyObject* module);
bool add_memory_type(PyObject* module);
bool add_batches_type(PyObject* module);
bool add_elements_type(PyObject* module);
extern PyMethodDef loader_functions[];
extern PyMethodDef manager_functions[];
extern PyMethodDef objects_functions[];
extern PyMethodDef ring_functions[];

}  // namespace nodewise::python
