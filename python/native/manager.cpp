// Lists and dictionaries of a Manager. Values become Python's: None, bool, int, float, bytes, and
// (element type, shape, bytes) for an array.
#include "wrap.hpp"

namespace nodewise::python {
namespace {

constexpr int most_stored_dimensions = 32;

// A value for the library. Its pointers lead into Python objects, which the caller keeps.
struct Given {
  nw_managed_value value{};
  std::uint64_t shape[most_stored_dimensions];
};

bool read_bytes(PyObject* object, Given& to) {
  char* data = nullptr;
  Py_ssize_t bytes = 0;
  if (PyBytes_AsStringAndSize(object, &data, &bytes) != 0) return false;
  to.value.data = data;
  to.value.bytes = static_cast<std::size_t>(bytes);
  return true;
}

// (dtype, shape, bytes)
bool read_array(PyObject* tuple, Given& to) {
  PyObject *shape, *bytes;
  to.value.kind = NW_ELEMENTS;
  if (PyArg_ParseTuple(tuple, "iO!O", &to.value.dtype, &PyTuple_Type, &shape, &bytes) == 0) return false;
  const Py_ssize_t dimensions = PyTuple_Size(shape);
  if (dimensions > most_stored_dimensions) {
    return refuse("an array of %zd dimensions; a Manager stores at most %d", dimensions,
                  most_stored_dimensions);
  }
  for (Py_ssize_t i = 0; i < dimensions; ++i)
    to.shape[i] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(shape, i));
  to.value.shape = to.shape;
  to.value.ndim = static_cast<std::int32_t>(dimensions);
  return PyErr_Occurred() == nullptr && read_bytes(bytes, to);
}

bool read_value(State& state, PyObject* object, Given& to) {
  to.value.size = sizeof to.value;
  if (object == Py_None) return true;
  if (PyBool_Check(object) != 0) {
    to.value.kind = NW_BOOLEAN;
    to.value.integer = object == Py_True ? 1 : 0;
    return true;
  }
  if (PyLong_Check(object) != 0) {
    to.value.kind = NW_INTEGER;
    return from_python(state, object, to.value.integer);
  }
  if (PyFloat_Check(object) != 0) {
    to.value.kind = NW_REAL;
    to.value.real = PyFloat_AsDouble(object);
    return true;
  }
  if (PyTuple_Check(object) != 0) return read_array(object, to);
  to.value.kind = NW_BYTES;
  return read_bytes(object, to);
}

PyObject* give_shape(const nw_managed_value& value) {
  Ref shape(PyTuple_New(value.ndim));
  for (std::int32_t i = 0; shape && i < value.ndim; ++i)
    PyTuple_SetItem(shape.get(), i, PyLong_FromUnsignedLongLong(value.shape[i]));
  return shape.release();
}

PyObject* give_value(const nw_managed_value& value) {
  const auto* data = static_cast<const char*>(value.data);
  const auto bytes = static_cast<Py_ssize_t>(value.bytes);
  switch (value.kind) {
    case NW_BOOLEAN:
      return PyBool_FromLong(static_cast<long>(value.integer));
    case NW_INTEGER:
      return PyLong_FromLongLong(value.integer);
    case NW_REAL:
      return PyFloat_FromDouble(value.real);
    case NW_BYTES:
      return PyBytes_FromStringAndSize(data, bytes);
    case NW_ELEMENTS:
      return Py_BuildValue("iNN", value.dtype, give_shape(value), PyBytes_FromStringAndSize(data, bytes));
    default:
      Py_RETURN_NONE;
  }
}

PyObject* value_of(nw_managed managed, std::size_t i) {
  nw_managed_value value{};
  value.size = sizeof value;
  if (const nw_error error = nw_managed_get(managed, i, &value); error != NW_OK) return raise(error);
  return give_value(value);
}

PyObject* key_of(nw_managed managed, std::size_t i) {
  const char* key = nullptr;
  std::size_t bytes = 0;
  if (const nw_error error = nw_managed_key(managed, i, &key, &bytes); error != NW_OK) return raise(error);
  return PyBytes_FromStringAndSize(key, static_cast<Py_ssize_t>(bytes));
}

// managed_values(managed): [value, ...], managed_keys(managed): [bytes, ...]
template <auto item_of>
PyObject* managed_items(PyObject* module, PyObject* object) {
  nw_managed managed = nullptr;
  std::size_t count = 0;
  if (!from_python(state_of(module), object, managed)) return nullptr;
  if (const nw_error error = nw_managed_count(managed, &count); error != NW_OK) return raise(error);
  return list_of(count, [managed](std::size_t i) { return item_of(managed, i); });
}

// managed_list_append(list, [value, ...]): the index of the first
PyObject* managed_list_append(PyObject* module, PyObject* arguments) {
  PyObject *object, *values;
  nw_managed_list list = nullptr;
  if (PyArg_ParseTuple(arguments, "OO!", &object, &PyList_Type, &values) == 0 ||
      !from_python(state_of(module), object, list))
    return nullptr;
  const auto count = static_cast<std::size_t>(PyList_Size(values));
  std::vector<Given> given(count);
  std::vector<nw_managed_value> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!read_value(state_of(module), PyList_GetItem(values, static_cast<Py_ssize_t>(i)), given[i]))
      return nullptr;
    all[i] = given[i].value;
  }
  std::uint64_t index = 0;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_managed_list_append(list, all.data(), count, &index);
  }
  return error == NW_OK ? PyLong_FromUnsignedLongLong(index) : raise(error);
}

// managed_list_set(list, index, value)
PyObject* managed_list_set(PyObject* module, PyObject* arguments) {
  PyObject *object, *value;
  PyObject* number;
  std::uint64_t index = 0;
  nw_managed_list list = nullptr;
  Given given;
  if (PyArg_ParseTuple(arguments, "OOO", &object, &number, &value) == 0 ||
      !from_python(state_of(module), object, list) || !from_python(state_of(module), number, index) ||
      !read_value(state_of(module), value, given))
    return nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_managed_list_set(list, index, &given.value);
  }
  if (error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

// managed_dict_set(dict, key, value)
PyObject* managed_dict_set(PyObject* module, PyObject* arguments) {
  PyObject *object, *value;
  const char* key = nullptr;
  Py_ssize_t bytes = 0;
  nw_managed_dict dict = nullptr;
  Given given;
  if (PyArg_ParseTuple(arguments, "Oy#O", &object, &key, &bytes, &value) == 0 ||
      !from_python(state_of(module), object, dict) || !read_value(state_of(module), value, given))
    return nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_managed_dict_set(dict, key, static_cast<std::size_t>(bytes), &given.value);
  }
  if (error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

// managed_dict_get(dict, key), managed_dict_erase(dict, key)
template <class Result, nw_error (*function)(nw_managed_dict, const char*, std::size_t, Result*)>
PyObject* with_key(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject* object;
  const char* key = nullptr;
  Py_ssize_t bytes = 0;
  nw_managed_dict dict = nullptr;
  if (PyArg_ParseTuple(arguments, "Oy#", &object, &key, &bytes) == 0 || !from_python(state, object, dict))
    return nullptr;
  Result result{};
  nw_error error = NW_OK;
  {
    const Released released;
    error = function(dict, key, static_cast<std::size_t>(bytes), &result);
  }
  return error == NW_OK ? to_python(state, result) : raise(error);
}

// A Python function that works inside a transaction, and the thread that runs it.
struct Body {
  State& state;
  PyObject* function;
  PyThreadState* thread;
};

// The transaction ends with the call, whatever Python keeps of it. If there was no room, and room was made,
// the function is called a second time.
std::int32_t run_body(void* user, nw_transaction transaction) {
  auto& body = *static_cast<Body*>(user);
  restore_thread(body.thread);
  PyErr_Clear();
  Ref result;
  {
    const Ref handle(own_handle(body.state, transaction));
    if (handle) result = Ref(PyObject_CallFunctionObjArgs(body.function, handle.get(), nullptr));
  }
  const bool failed = !result;
  result = Ref();
  PyEval_SaveThread();
  return failed ? 1 : 0;
}

// manager_change(manager, function), manager_look(manager, function): calls function(transaction)
template <nw_error (*call)(nw_manager, std::int32_t (*)(void*, nw_transaction), void*)>
PyObject* in_transaction(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  PyObject *object, *function;
  nw_manager manager = nullptr;
  if (PyArg_ParseTuple(arguments, "OO", &object, &function) == 0 || !from_python(state, object, manager))
    return nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    Body body{state, function, released.thread()};
    error = call(manager, run_body, &body);
  }
  if (error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef manager_functions[] = {
    entry_of<managed_items<value_of>>("managed_values", METH_O),
    entry_of<managed_items<key_of>>("managed_keys", METH_O),
    entry_of<managed_list_append>("managed_list_append", METH_VARARGS),
    entry_of<managed_list_set>("managed_list_set", METH_VARARGS),
    entry_of<managed_dict_set>("managed_dict_set", METH_VARARGS),
    entry_of<with_key<nw_managed, nw_managed_dict_get>>("managed_dict_get", METH_VARARGS),
    entry_of<with_key<std::int32_t, nw_managed_dict_erase>>("managed_dict_erase", METH_VARARGS),
    entry_of<in_transaction<nw_manager_change>>("manager_change", METH_VARARGS),
    entry_of<in_transaction<nw_manager_look>>("manager_look", METH_VARARGS),
    NODEWISE_WRAP(managed_dict_clear),
    NODEWISE_WRAP(managed_dict_items),
    NODEWISE_WRAP(managed_dict_keys),
    NODEWISE_WRAP(managed_dict_size),
    NODEWISE_WRAP(managed_list_clear),
    NODEWISE_WRAP(managed_list_erase),
    NODEWISE_WRAP(managed_list_get),
    NODEWISE_WRAP(managed_list_pop_back),
    NODEWISE_WRAP(managed_list_pop_front),
    NODEWISE_WRAP(managed_list_size),
    NODEWISE_WRAP(managed_list_values),
    NODEWISE_WRAP(manager_dict),
    NODEWISE_WRAP(manager_directory),
    NODEWISE_WRAP(manager_list),
    NODEWISE_WRAP(manager_max_bytes),
    NODEWISE_WRAP(manager_names),
    NODEWISE_WRAP(manager_open_or_create),
    NODEWISE_WRAP(manager_remove),
    NODEWISE_WRAP(transaction_dict),
    NODEWISE_WRAP(transaction_list),
    NODEWISE_WRAP(transaction_names),
    NODEWISE_WRAP(transaction_remove),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace nodewise::python
