// Shared objects: values, arrays, mutexes, events and barriers. Python waits for them in slices, between
// which the interpreter looks for signals; only a wait at a barrier is one call, with a stop token.
#include "wrap.hpp"

namespace nodewise::python {
namespace {

// What a C call takes and gives as a number of any element type.
union Number {
  double f64;
  float f32;
  std::int64_t i64;
  std::int32_t i32;
  std::int16_t i16;
  std::int8_t i8;
  std::uint64_t u64;
  std::uint32_t u32;
  std::uint16_t u16;
  std::uint8_t u8;
};

// Calls `use` with the member of `number` for an element type. False with a Python exception for the types
// that Python has no numbers of.
template <class Use>
bool with_member(Number& number, nw_dtype dtype, Use use) {
  switch (dtype) {
    case NW_F64:
      return use(number.f64);
    case NW_F32:
      return use(number.f32);
    case NW_I64:
      return use(number.i64);
    case NW_I32:
      return use(number.i32);
    case NW_I16:
      return use(number.i16);
    case NW_I8:
      return use(number.i8);
    case NW_U64:
      return use(number.u64);
    case NW_U32:
      return use(number.u32);
    case NW_U16:
      return use(number.u16);
    case NW_U8:
      return use(number.u8);
    default:
      return refuse("a shared value cannot have the element type %s", nw_dtype_name(dtype));
  }
}

bool read_number(State& state, PyObject* object, nw_dtype dtype, Number& to) {
  return with_member(to, dtype, [&]<class T>(T& member) {
    if constexpr (std::is_same_v<T, float>) {
      double number = 0;
      if (!from_python(state, object, number)) return false;
      member = static_cast<float>(number);
      return true;
    } else {
      return from_python(state, object, member);
    }
  });
}

PyObject* give_number(State& state, nw_dtype dtype, Number number) {
  PyObject* result = nullptr;
  with_member(number, dtype, [&]<class T>(T& member) {
    if constexpr (std::is_same_v<T, float>)
      result = to_python(state, static_cast<double>(member));
    else
      result = to_python(state, member);
    return result != nullptr;
  });
  return result;
}

// objects_create(name, bytes)
PyObject* objects_create(PyObject* module, PyObject* arguments) {
  const char* name = nullptr;
  PyObject* bytes;
  nw_objects_options options{};
  options.size = sizeof options;
  if (PyArg_ParseTuple(arguments, "sO", &name, &bytes) == 0 ||
      !from_python(state_of(module), bytes, options.bytes))
    return nullptr;
  nw_objects objects = nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_objects_create(name, &options, &objects);
  }
  return error == NW_OK ? own_handle(state_of(module), objects) : raise(error);
}

// objects_value(objects, name, dtype, initial)
PyObject* objects_value(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject *object, *initial;
  const char* name = nullptr;
  nw_dtype dtype = NW_DTYPE_NONE;
  nw_objects objects = nullptr;
  nw_value value = nullptr;
  Number number{};
  if (PyArg_ParseTuple(arguments, "OsiO", &object, &name, &dtype, &initial) == 0 ||
      !from_python(state, object, objects) || !read_number(state, initial, dtype, number))
    return nullptr;
  const nw_error error = nw_objects_value(objects, name, dtype, &number, &value);
  return error == NW_OK ? own_handle(state, value) : raise(error);
}

// value_load(value, dtype). Values are words that change in one step, so no call waits.
PyObject* value_load(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject* object;
  nw_dtype dtype = NW_DTYPE_NONE;
  nw_value value = nullptr;
  Number number{};
  if (PyArg_ParseTuple(arguments, "Oi", &object, &dtype) == 0 || !from_python(state, object, value))
    return nullptr;
  const nw_error error = nw_value_load(value, dtype, &number);
  return error == NW_OK ? give_number(state, dtype, number) : raise(error);
}

// value_store(value, dtype, number)
PyObject* value_store(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject *object, *given;
  nw_dtype dtype = NW_DTYPE_NONE;
  nw_value value = nullptr;
  Number number{};
  if (PyArg_ParseTuple(arguments, "OiO", &object, &dtype, &given) == 0 ||
      !from_python(state, object, value) || !read_number(state, given, dtype, number))
    return nullptr;
  if (const nw_error error = nw_value_store(value, dtype, &number); error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

// value_exchange(value, dtype, number), value_fetch_add(value, dtype, number): the number before
template <nw_error (*function)(nw_value, nw_dtype, const void*, void*)>
PyObject* change_value(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject *object, *given;
  nw_dtype dtype = NW_DTYPE_NONE;
  nw_value value = nullptr;
  Number number{}, before{};
  if (PyArg_ParseTuple(arguments, "OiO", &object, &dtype, &given) == 0 ||
      !from_python(state, object, value) || !read_number(state, given, dtype, number))
    return nullptr;
  const nw_error error = function(value, dtype, &number, &before);
  return error == NW_OK ? give_number(state, dtype, before) : raise(error);
}

// value_compare_exchange(value, dtype, expected, desired): (whether it was stored, the number before)
PyObject* value_compare_exchange(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject *object, *given, *wanted;
  nw_dtype dtype = NW_DTYPE_NONE;
  nw_value value = nullptr;
  Number expected{}, desired{};
  std::int32_t stored = 0;
  if (PyArg_ParseTuple(arguments, "OiOO", &object, &dtype, &given, &wanted) == 0 ||
      !from_python(state, object, value) || !read_number(state, given, dtype, expected) ||
      !read_number(state, wanted, dtype, desired))
    return nullptr;
  const nw_error error = nw_value_compare_exchange(value, dtype, &expected, &desired, &stored);
  if (error != NW_OK) return raise(error);
  return Py_BuildValue("NN", PyBool_FromLong(stored), give_number(state, dtype, expected));
}

// mutex_lock(mutex, timeout, owners, name): whether it was locked. Then owners[name] is this thread, which
// holds it once. Both are one step for Python: no exception of a signal handler comes between them.
PyObject* mutex_lock(PyObject* module, PyObject* arguments) {
  PyObject *object, *owners, *name;
  double timeout = 0;
  nw_mutex mutex = nullptr;
  if (PyArg_ParseTuple(arguments, "OdO!U", &object, &timeout, &PyDict_Type, &owners, &name) == 0 ||
      !from_python(state_of(module), object, mutex))
    return nullptr;
  std::int32_t locked = 0;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_mutex_lock(mutex, timeout, &locked);
  }
  if (error != NW_OK) return raise(error);
  if (locked != 0) {
    const Ref owner(Py_BuildValue("(ki)", PyThread_get_thread_native_id(), 1));
    if (!owner || PyDict_SetItem(owners, name, owner.get()) != 0) {
      nw_mutex_unlock(mutex);
      return nullptr;
    }
  }
  return PyBool_FromLong(locked);
}

// mutex_unlock(mutex, owners, name): removes owners[name], and unlocks
PyObject* mutex_unlock(PyObject* module, PyObject* arguments) {
  PyObject *object, *owners, *name;
  nw_mutex mutex = nullptr;
  if (PyArg_ParseTuple(arguments, "OO!U", &object, &PyDict_Type, &owners, &name) == 0 ||
      !from_python(state_of(module), object, mutex) || PyDict_DelItem(owners, name) != 0)
    return nullptr;
  const nw_error error = nw_mutex_unlock(mutex);
  if (error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

// Repairs data by a Python function. `user` is the function; an exception stays set, and ends the call.
std::int32_t call_repair(void* user) {
  const PyGILState_STATE held = PyGILState_Ensure();
  const Ref result(PyObject_CallNoArgs(static_cast<PyObject*>(user)));
  const bool failed = !result;
  PyGILState_Release(held);
  return failed ? 1 : 0;
}

// mutex_repair(mutex, function or None): whether the data was marked as repaired
PyObject* mutex_repair(PyObject* module, PyObject* arguments) {
  PyObject *object, *function;
  nw_mutex mutex = nullptr;
  if (PyArg_ParseTuple(arguments, "OO", &object, &function) == 0 ||
      !from_python(state_of(module), object, mutex))
    return nullptr;
  std::int32_t repaired = 0;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_mutex_repair(mutex, function == Py_None ? nullptr : call_repair, function, &repaired);
  }
  return error == NW_OK ? PyBool_FromLong(repaired) : raise(error);
}

// barrier_wait(barrier, timeout): how many parties had arrived before
PyObject* barrier_wait(PyObject* module, PyObject* arguments) {
  PyObject* object;
  double timeout = 0;
  nw_barrier barrier = nullptr;
  if (PyArg_ParseTuple(arguments, "Od", &object, &timeout) == 0 ||
      !from_python(state_of(module), object, barrier))
    return nullptr;
  std::uint32_t before = 0;
  nw_error error = NW_OK;
  {
    const Released released;
    nw_stop stop = nullptr;
    error = nw_stop_make_polled(signalled, released.thread(), &stop);
    if (error == NW_OK) error = nw_barrier_wait(barrier, timeout, stop, &before);
    nw_free(stop);
  }
  return error == NW_OK ? PyLong_FromUnsignedLong(before) : raise(error);
}

}  // namespace

PyMethodDef objects_functions[] = {
    entry_of<objects_create>("objects_create", METH_VARARGS),
    entry_of<objects_value>("objects_value", METH_VARARGS),
    entry_of<value_load>("value_load", METH_VARARGS),
    entry_of<value_store>("value_store", METH_VARARGS),
    entry_of<change_value<nw_value_exchange>>("value_exchange", METH_VARARGS),
    entry_of<change_value<nw_value_fetch_add>>("value_fetch_add", METH_VARARGS),
    entry_of<value_compare_exchange>("value_compare_exchange", METH_VARARGS),
    entry_of<mutex_lock>("mutex_lock", METH_VARARGS),
    entry_of<mutex_unlock>("mutex_unlock", METH_VARARGS),
    entry_of<mutex_repair>("mutex_repair", METH_VARARGS),
    entry_of<barrier_wait>("barrier_wait", METH_VARARGS),
    NODEWISE_WRAP(array_pages),
    NODEWISE_WRAP(barrier_describe),
    NODEWISE_WRAP(barrier_give_up),
    NODEWISE_WRAP(barrier_reset),
    NODEWISE_WRAP(event_clear),
    NODEWISE_WRAP(event_is_set),
    NODEWISE_WRAP(event_set),
    NODEWISE_WRAP(event_wait),
    NODEWISE_WRAP(objects_array),
    NODEWISE_WRAP(objects_barrier),
    NODEWISE_WRAP(objects_bytes_left),
    NODEWISE_WRAP(objects_count),
    NODEWISE_WRAP(objects_event),
    NODEWISE_WRAP(objects_mutex),
    NODEWISE_WRAP(objects_open),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace nodewise::python
