// DLPack: capsules with tensors over placed memory, and loaders over the tensors of other capsules. A capsule
// owns its tensor until a consumer renames the capsule; the consumer then calls the tensor's deleter. The
// deleter of our tensors needs no interpreter.
#include <nodewise/dlpack.hpp>

#include "make_loader.hpp"
#include "memory.hpp"
#include "wrap.hpp"

namespace nodewise::python {
namespace {

struct Form {
  const char* name;
  const char* used;
};
constexpr Form forms[] = {{"dltensor", "used_dltensor"}, {"dltensor_versioned", "used_dltensor_versioned"}};

// A tensor that is counted among the exports of its memory. The deleter of the library follows ours.
template <class Managed>
struct Counted {
  void* context;
  void (*deleter)(Managed*);
  std::shared_ptr<Exports> exports;
};

template <class Managed>
void release(Managed* tensor) {
  const std::unique_ptr<Counted<Managed>> counted(static_cast<Counted<Managed>*>(tensor->context));
  tensor->context = counted->context;
  counted->deleter(tensor);
  --*counted->exports;
}

template <class Managed>
void count(void* exported, const std::shared_ptr<Exports>& exports) {
  auto* tensor = static_cast<Managed*>(exported);
  std::unique_ptr<Counted<Managed>> counted(new Counted<Managed>{tensor->context, tensor->deleter, exports});
  ++*exports;
  tensor->context = counted.release();
  tensor->deleter = release<Managed>;
}

template <std::int32_t versioned>
void destroy_capsule(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, forms[versioned].name) == 0) return;  // a consumer has the tensor
  nw_dlpack_delete(PyCapsule_GetPointer(capsule, forms[versioned].name), versioned);
}

PyObject* capsule_of(void* tensor, std::int32_t versioned) {
  PyObject* capsule =
      PyCapsule_New(tensor, forms[versioned].name, versioned == 1 ? destroy_capsule<1> : destroy_capsule<0>);
  if (capsule == nullptr) nw_dlpack_delete(tensor, versioned);
  return capsule;
}

// dlpack(versioned, dtype, flags): a capsule
PyObject* dlpack(PyObject* self, PyObject* arguments) {
  int versioned = 0;
  nw_dtype dtype = 0;
  unsigned long long flags = 0;
  if (PyArg_ParseTuple(arguments, "piK", &versioned, &dtype, &flags) == 0) return nullptr;
  const MemoryObject& memory = *memory_of(self);
  std::int64_t shape[most_dimensions], strides[most_dimensions];
  for (int i = 0; i < memory.dimensions; ++i) {
    shape[i] = memory.shape[i];
    strides[i] = memory.strides[i] / memory.itemsize;
  }
  State* state = state_of_type(Py_TYPE(self));
  if (state == nullptr) return nullptr;
  auto* pages = static_cast<nw_pages>(handle_of(*state, memory.owner));
  if (pages == nullptr) return nullptr;
  void* tensor = nullptr;
  if (const nw_error error = nw_dlpack_export(pages, memory.data, memory.dimensions, shape, strides, dtype,
                                              flags, versioned, &tensor);
      error != NW_OK)
    return raise(error);
  try {
    if (versioned == 1)
      count<dlpack::VersionedTensor>(tensor, memory.exports);
    else
      count<dlpack::ManagedTensor>(tensor, memory.exports);
  } catch (const std::bad_alloc&) {
    nw_dlpack_delete(tensor, versioned);
    return PyErr_NoMemory();
  }
  return capsule_of(tensor, versioned);
}

// Calls the deleter of another library, which may run Python, while an exception is set.
void delete_foreign(void* tensor, std::int32_t versioned) {
  PyObject *kind, *value, *trace;
  PyErr_Fetch(&kind, &value, &trace);
  nw_dlpack_delete(tensor, versioned);
  PyErr_Restore(kind, value, trace);
}

// Takes the tensor out of a capsule. Null with a Python exception if there is none.
void* take(PyObject* capsule, std::int32_t& versioned) {
  for (versioned = 1; versioned >= 0; --versioned) {
    const Form& form = forms[versioned];
    if (PyCapsule_IsValid(capsule, form.name) == 0) continue;
    void* tensor = PyCapsule_GetPointer(capsule, form.name);
    return PyCapsule_SetName(capsule, form.used) == 0 ? tensor : nullptr;
  }
  refuse("from_dlpack: %R is no capsule with a tensor that is still to be used", capsule);
  return nullptr;
}

}  // namespace

PyMethodDef memory_methods[] = {
    {"dlpack", dlpack, METH_VARARGS, "A capsule of DLPack: dlpack(versioned, dtype, flags)."},
    {nullptr, nullptr, 0, nullptr},
};

PyObject* loader_import(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *capsule, *size, *dict;
  std::uint64_t batch_size = 0;
  if (!unpack(given, count, capsule, size, dict) || !from_python(state_of(module), size, batch_size))
    return nullptr;
  std::int32_t versioned = 0;
  void* tensor = take(capsule, versioned);
  if (tensor == nullptr) return nullptr;
  bool called = false;
  PyObject* loader = make_loader(module, dict, [&](const nw_loader_options* options, nw_loader* out) {
    called = true;
    return nw_dlpack_import(tensor, versioned, batch_size, options, out);
  });
  if (!called) delete_foreign(tensor, versioned);
  return loader;
}

}  // namespace nodewise::python
