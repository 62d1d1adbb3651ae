// Makes a Python function from the declaration of a C call. Arguments are converted by their types: a
// handle from a Handle, numbers from int and float, a text from str or None. A pointer to a handle, a
// number, a text or a struct is a result: the caller does not pass it, and the function returns it
// (several results as a tuple). The interpreter is released during the call.
#pragma once

#include <cstring>
#include <limits>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "native.hpp"

namespace nodewise::python {

template <class T>
struct IsHandle : std::false_type {};
#define NODEWISE_HANDLE(name) \
  template <>                 \
  struct IsHandle<name> : std::true_type {}
NODEWISE_HANDLE(nw_topology);
NODEWISE_HANDLE(nw_plan);
NODEWISE_HANDLE(nw_source);
NODEWISE_HANDLE(nw_loader);
NODEWISE_HANDLE(nw_pages);
NODEWISE_HANDLE(nw_placement);
NODEWISE_HANDLE(nw_objects);
NODEWISE_HANDLE(nw_value);
NODEWISE_HANDLE(nw_array);
NODEWISE_HANDLE(nw_mutex);
NODEWISE_HANDLE(nw_event);
NODEWISE_HANDLE(nw_barrier);
NODEWISE_HANDLE(nw_ring);
NODEWISE_HANDLE(nw_ring_producer);
NODEWISE_HANDLE(nw_ring_consumer);
NODEWISE_HANDLE(nw_ring_loan);
NODEWISE_HANDLE(nw_ring_lease);
NODEWISE_HANDLE(nw_manager);
NODEWISE_HANDLE(nw_transaction);
NODEWISE_HANDLE(nw_managed);
NODEWISE_HANDLE(nw_managed_list);
NODEWISE_HANDLE(nw_managed_dict);
#undef NODEWISE_HANDLE

/// A result: what the C call is given a pointer to.
template <class T>
inline constexpr bool is_result =
    std::is_pointer_v<T> && !IsHandle<T>::value && !std::is_const_v<std::remove_pointer_t<T>> &&
    !std::is_void_v<std::remove_pointer_t<T>>;

// From Python. Each returns false with a Python exception.
template <class Number>
requires std::is_integral_v<Number>
bool from_python(State&, PyObject* object, Number& to) {
  if constexpr (std::is_signed_v<Number>) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0) return refuse("%R is too large", object);
    if (number == -1 && PyErr_Occurred() != nullptr) return false;
    to = static_cast<Number>(number);
    if (to == number) return true;
  } else {
    const Ref index(PyNumber_Index(object));
    if (!index) return false;
    const unsigned long long number = PyLong_AsUnsignedLongLong(index.get());
    if (number == static_cast<unsigned long long>(-1) && PyErr_Occurred() != nullptr) {
      if (PyErr_ExceptionMatches(PyExc_OverflowError) == 0) return false;
      PyErr_Clear();
      return refuse("%R is negative, or too large", object);
    }
    to = static_cast<Number>(number);
    if (to == number) return true;
  }
  return refuse("%R is too large", object);
}
inline bool from_python(State&, PyObject* object, double& to) {
  to = PyFloat_AsDouble(object);
  return to != -1 || PyErr_Occurred() == nullptr;
}
inline bool from_python(State&, PyObject* object, const char*& to) {
  to = nullptr;
  if (object == Py_None) return true;
  if (PyBytes_Check(object) != 0) {  // the name of a file
    char* bytes = nullptr;
    if (PyBytes_AsStringAndSize(object, &bytes, nullptr) != 0) return false;
    to = bytes;
    return true;
  }
  Py_ssize_t length = 0;
  to = PyUnicode_AsUTF8AndSize(object, &length);
  if (to == nullptr) return false;
  return std::strlen(to) == static_cast<std::size_t>(length) ||
         refuse("%R has a character of number 0, which no name can have", object);
}
template <class Handle>
requires IsHandle<Handle>::value bool from_python(State& state, PyObject* object, Handle& to) {
  to = object == Py_None ? nullptr : static_cast<Handle>(handle_of(state, object));
  return to != nullptr || object == Py_None;
}

/// Reads a sequence of numbers.
template <class Number>
bool read_list(State& state, PyObject* sequence, std::vector<Number>& to) {
  const Ref list(PySequence_List(sequence));
  if (!list) return false;
  const Py_ssize_t count = PyList_Size(list.get());
  to.resize(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i)
    if (!from_python(state, PyList_GetItem(list.get(), i), to[static_cast<std::size_t>(i)])) return false;
  return true;
}

// To Python.
template <class Number>
requires std::is_integral_v<Number> PyObject* to_python(State&, Number number) {
  if constexpr (std::is_signed_v<Number>)
    return PyLong_FromLongLong(number);
  else
    return PyLong_FromUnsignedLongLong(number);
}
inline PyObject* to_python(State&, double number) {
  return PyFloat_FromDouble(number);
}
inline PyObject* to_python(State&, char* text) {
  PyObject* object =
      PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "surrogateescape");
  nw_text_free(text);
  return object;
}
template <class Handle>
requires IsHandle<Handle>::value PyObject* to_python(State& state, Handle handle) {
  if (handle == nullptr) Py_RETURN_NONE;
  return own_handle(state, handle);
}
inline PyObject* to_python(State&, const nw_dataset& dataset) {
  return Py_BuildValue("KKKi", dataset.samples, dataset.features, dataset.batch_size, dataset.dtype);
}
inline PyObject* to_python(State&, const nw_shard& shard) {
  return Py_BuildValue("II(KK)(KK)(KK)KK", shard.node, shard.os_index, shard.batches.start,
                       shard.batches.stop, shard.bytes.start, shard.bytes.stop, shard.pages.start,
                       shard.pages.stop, shard.cut_bytes, shard.spill_bytes);
}
inline PyObject* to_python(State&, const nw_node& node) {
  return Py_BuildValue("IIIIKKNN", node.os_index, node.cpus, node.allowed_cpus, node.cores, node.memory_bytes,
                       node.free_bytes, PyBool_FromLong(node.allowed), PyBool_FromLong(node.memory_unknown));
}
inline PyObject* to_python(State&, const nw_placement_bytes& bytes) {
  return Py_BuildValue("KKKKKKK", bytes.planned_bytes, bytes.local_bytes, bytes.misplaced_bytes,
                       bytes.cut_bytes, bytes.absent_bytes, bytes.unknown_bytes, bytes.on_target_bytes);
}

inline PyObject* to_python(State&, void* address) {
  return PyLong_FromVoidPtr(address);
}
inline PyObject* to_python(State&, const nw_barrier_info& info) {
  return Py_BuildValue("IIN", info.parties, info.waiting, PyBool_FromLong(info.broken));
}
/// The address, and the shape.
inline PyObject* to_python(State&, const nw_view& view) {
  return Py_BuildValue("NKK", PyLong_FromVoidPtr(view.data), view.rows, view.cols);
}
inline PyObject* to_python(State&, const nw_ring_info& info) {
  return Py_BuildValue("sKKKiN", info.name, info.slots, info.rows, info.cols, info.dtype,
                       PyBool_FromLong(info.closed));
}
inline PyObject* to_python(State&, const nw_ring_counts& counts) {
  return Py_BuildValue("KKKKKKKK", counts.published, counts.returned, counts.redelivered, counts.recovered,
                       counts.producer_waits, counts.consumer_waits, counts.producer_waited_ns,
                       counts.consumer_waited_ns);
}

/// A value with room for the type of an argument; structs that begin with their size know it.
template <class T>
T fresh() {
  T value{};
  if constexpr (requires { value.size; }) value.size = sizeof value;
  return value;
}

template <class... Arguments>
class Call {
 public:
  Call(State& state, PyObject* const* given, Py_ssize_t count)
      : state_(state), given_(given), count_(count) {}

  PyObject* run(nw_error (*function)(Arguments...)) {
    return run(function, std::index_sequence_for<Arguments...>());
  }

 private:
  // Where an argument is kept: results by value, others as they are.
  template <class T>
  using Kept = std::conditional_t<is_result<T>, std::remove_pointer_t<T>, T>;

  template <std::size_t... i>
  PyObject* run(nw_error (*function)(Arguments...), std::index_sequence<i...>) {
    constexpr Py_ssize_t wanted = (0 + ... + (is_result<Arguments> ? 0 : 1));
    if (count_ != wanted) {
      PyErr_Format(PyExc_TypeError, "takes %zd arguments, and was given %zd", wanted, count_);
      return nullptr;
    }
    std::tuple<Kept<Arguments>...> kept{fresh<Kept<Arguments>>()...};
    if (!(read<Arguments>(std::get<i>(kept)) && ...)) return nullptr;
    nw_error error = NW_OK;
    {
      const Released released;
      error = function(pass<Arguments>(std::get<i>(kept))...);
    }
    if (error != NW_OK) return raise(error);
    return results(kept, std::index_sequence<i...>());
  }

  template <class T>
  bool read(Kept<T>& kept) {
    if constexpr (is_result<T>)
      return true;
    else
      return from_python(state_, given_[next_++], kept);
  }
  template <class T>
  static T pass(Kept<T>& kept) {
    if constexpr (is_result<T>)
      return &kept;
    else
      return kept;
  }
  template <std::size_t... i>
  PyObject* results(std::tuple<Kept<Arguments>...>& kept, std::index_sequence<i...>) {
    constexpr int count = (0 + ... + (is_result<Arguments> ? 1 : 0));
    if constexpr (count == 0) {
      Py_RETURN_NONE;
    } else if constexpr (count == 1) {
      PyObject* only = nullptr;
      (keep_result<Arguments>(std::get<i>(kept), [&](PyObject* object) { only = object; }), ...);
      return only;
    } else {
      Ref tuple(PyTuple_New(count));
      if (!tuple) return nullptr;
      Py_ssize_t at = 0;
      (keep_result<Arguments>(std::get<i>(kept),
                              [&](PyObject* object) { PyTuple_SetItem(tuple.get(), at++, object); }),
       ...);
      return PyErr_Occurred() == nullptr ? tuple.release() : nullptr;
    }
  }
  template <class T, class Put>
  void keep_result(Kept<T>& kept, Put put) {
    if constexpr (is_result<T>) put(to_python(state_, kept));
  }

  State& state_;
  PyObject* const* given_;
  Py_ssize_t count_;
  Py_ssize_t next_ = 0;
};

template <class... Arguments>
PyObject* call(PyObject* module, PyObject* const* given, Py_ssize_t count,
               nw_error (*function)(Arguments...)) {
  return Call<Arguments...>(state_of(module), given, count).run(function);
}

/// The Python function of a C call.
template <auto function>
PyObject* wrapped(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  return call(module, given, count, function);
}

/// A list of `count` items, which `item_of(i)` gives. Null with a Python exception if one of them is null.
template <class ItemOf>
PyObject* list_of(std::size_t count, ItemOf item_of) {
  Ref list(PyList_New(static_cast<Py_ssize_t>(count)));
  for (std::size_t i = 0; list && i < count; ++i) {
    PyObject* item = item_of(i);
    if (item == nullptr) return nullptr;
    PyList_SetItem(list.get(), static_cast<Py_ssize_t>(i), item);
  }
  return list.release();
}

/// Runs a function of the module, so that no C++ exception gets out of it.
template <auto function, class... Arguments>
PyObject* guarded(PyObject* module, Arguments... arguments) noexcept {
  try {
    return function(module, arguments...);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

/// The entry of a function in a table: (module, arguments, their number) with METH_FASTCALL, or (module,
/// argument) with METH_O or METH_VARARGS.
template <auto function>
PyMethodDef entry_of(const char* name, int flags) {
  PyCFunction address = nullptr;
  if constexpr (std::is_invocable_v<decltype(function), PyObject*, PyObject*>)
    address = guarded<function, PyObject*>;
  else
    address = reinterpret_cast<PyCFunction>(
        reinterpret_cast<void (*)()>(guarded<function, PyObject* const*, Py_ssize_t>));
  return {name, address, flags, nullptr};
}

/// The entry of a C call.
#define NODEWISE_WRAP(name) entry_of<wrapped<nw_##name>>(#name, METH_FASTCALL)

}  // namespace nodewise::python
