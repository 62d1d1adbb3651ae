// Memory of Python objects that a loader uses where it is.
#pragma once

#include "native.hpp"

namespace nodewise::python {

/// A buffer of a Python object, held until the library releases it. The library may do so on any thread,
/// also on one that does not run Python; the buffer is then given back the next time that the interpreter
/// looks for pending calls. After the interpreter has ended, it is never given back.
struct AdoptedBuffer {
  Py_buffer view{};
  AdoptedBuffer* next = nullptr;
};

/// For nw_loader_adopt(): `user` is an AdoptedBuffer, which it ends.
void release_adopted(void* user, void* data);
/// Gives back the buffers that were released since. The caller has the interpreter.
void give_back_released();

}  // namespace nodewise::python
