// The functions of the module: those that the compiler makes from the C calls, and those whose arguments
// need more.
#include "adopted.hpp"
#include "make_loader.hpp"
#include "memory.hpp"
#include "wrap.hpp"

namespace nodewise::python {
namespace {

// (samples, features, batch_size, dtype)
bool read_dataset(State& state, PyObject* tuple, nw_dataset& to) {
  PyObject *samples, *features, *batch_size;
  return PyArg_ParseTuple(tuple, "OOOi", &samples, &features, &batch_size, &to.dtype) != 0 &&
         from_python(state, samples, to.samples) && from_python(state, features, to.features) &&
         from_python(state, batch_size, to.batch_size);
}

// A buffer of a Python object, with strides; released at the end of the scope.
struct Buffer {
  Py_buffer view{};
  bool held = false;
  bool get(PyObject* object, int flags) {
    held = PyObject_GetBuffer(object, &view, flags) == 0;
    return held;
  }
  ~Buffer() {
    if (held) PyBuffer_Release(&view);
  }
};

// loader_make(dataset, options): a dataset of zeros
PyObject* loader_make(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *shape, *dict;
  nw_dataset dataset{};
  if (!unpack(given, count, shape, dict) || !read_dataset(state_of(module), shape, dataset)) return nullptr;
  return make_loader(module, dict,
                     [&](auto* options, nw_loader* out) { return nw_loader_make(&dataset, options, out); });
}

// loader_copy(buffer, dataset, options): a copy of a 2-D buffer in any strides
PyObject* loader_copy(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *data, *shape, *dict;
  nw_dataset dataset{};
  Buffer buffer;
  if (!unpack(given, count, data, shape, dict) || !read_dataset(state_of(module), shape, dataset) ||
      !buffer.get(data, PyBUF_STRIDES | PyBUF_FORMAT))
    return nullptr;
  const Py_buffer& view = buffer.view;
  if (view.ndim != 2 || static_cast<std::uint64_t>(view.shape[0]) != dataset.samples ||
      static_cast<std::uint64_t>(view.shape[1]) != dataset.features ||
      static_cast<std::size_t>(view.itemsize) != nw_dtype_bytes(dataset.dtype)) {
    PyErr_SetString(PyExc_ValueError, "loader_copy: the buffer is not of the dataset's shape and type");
    return nullptr;
  }
  return make_loader(module, dict, [&](auto* options, nw_loader* out) {
    const auto row = static_cast<std::int64_t>(dataset.features) * view.itemsize;
    return view.strides[1] == view.itemsize && view.strides[0] == row
               ? nw_loader_copy(view.buf, &dataset, options, out)
               : nw_loader_copy_strided(view.buf, &dataset, view.strides[0], view.strides[1], options, out);
  });
}

// loader_adopt(buffer, dataset, writable, options): uses a contiguous buffer where it is
PyObject* loader_adopt(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *data, *shape, *writable, *dict;
  nw_dataset dataset{};
  if (!unpack(given, count, data, shape, writable, dict) || !read_dataset(state_of(module), shape, dataset))
    return nullptr;
  const bool may_write = PyObject_IsTrue(writable) == 1;
  auto* adopted = new AdoptedBuffer;
  if (PyObject_GetBuffer(data, &adopted->view, PyBUF_C_CONTIGUOUS | (may_write ? PyBUF_WRITABLE : 0)) != 0) {
    delete adopted;
    return nullptr;
  }
  if (static_cast<std::uint64_t>(adopted->view.len) !=
      dataset.samples * dataset.features * nw_dtype_bytes(dataset.dtype)) {
    PyBuffer_Release(&adopted->view);
    delete adopted;
    PyErr_SetString(PyExc_ValueError, "loader_adopt: the buffer is not of the dataset's size");
    return nullptr;
  }
  bool called = false;
  PyObject* loader = make_loader(module, dict, [&](auto* options, nw_loader* out) {
    called = true;
    return nw_loader_adopt(adopted->view.buf, &dataset, may_write ? NW_READ_WRITE : NW_READ_ONLY,
                           release_adopted, adopted, options, out);
  });
  if (!called) release_adopted(adopted, nullptr);
  return loader;
}

// loader_load(source, batch_size, options)
PyObject* loader_load(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *from, *size, *dict;
  nw_source source = nullptr;
  std::uint64_t batch_size = 0;
  if (!unpack(given, count, from, size, dict) || !from_python(state_of(module), from, source) ||
      !from_python(state_of(module), size, batch_size))
    return nullptr;
  return make_loader(module, dict, [&](auto* options, nw_loader* out) {
    return nw_loader_load(source, batch_size, options, out);
  });
}

// loader_load_planned(source or None, plan, options)
PyObject* loader_load_planned(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *from, *division, *dict;
  nw_source source = nullptr;
  nw_plan plan = nullptr;
  if (!unpack(given, count, from, division, dict) || !from_python(state_of(module), from, source) ||
      !from_python(state_of(module), division, plan))
    return nullptr;
  return make_loader(module, dict, [&](auto* options, nw_loader* out) {
    return nw_loader_load_planned(source, plan, options, out);
  });
}

// loader_open(name, access, options)
PyObject* loader_open(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *text, *number, *dict;
  const char* name = nullptr;
  nw_access access = NW_READ_ONLY;
  if (!unpack(given, count, text, number, dict) || !from_python(state_of(module), text, name) ||
      !from_python(state_of(module), number, access))
    return nullptr;
  return make_loader(module, dict, [&](auto* options, nw_loader* out) {
    return nw_loader_open(name, access, options, out);
  });
}

// loader_open_or_create(source, name, batch_size, access, options)
PyObject* loader_open_or_create(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *from, *text, *size, *number, *dict;
  nw_source source = nullptr;
  const char* name = nullptr;
  std::uint64_t batch_size = 0;
  nw_access access = NW_READ_ONLY;
  State& state = state_of(module);
  if (!unpack(given, count, from, text, size, number, dict) || !from_python(state, from, source) ||
      !from_python(state, text, name) || !from_python(state, size, batch_size) ||
      !from_python(state, number, access))
    return nullptr;
  return make_loader(module, dict, [&](auto* options, nw_loader* out) {
    return nw_loader_open_or_create(source, name, batch_size, access, options, out);
  });
}

// Fills a writable buffer of doubles by a call.
template <class Fill>
PyObject* fill_doubles(PyObject* target, Fill fill) {
  Buffer buffer;
  if (!buffer.get(target, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) return nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = fill(static_cast<double*>(buffer.view.buf),
                 static_cast<std::uint64_t>(buffer.view.len) / sizeof(double));
  }
  if (error != NW_OK) return raise(error);
  Py_RETURN_NONE;
}

// loader_means(loader, buffer of doubles), loader_rounded_means(...)
template <auto function>
PyObject* means_into(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *object, *target;
  nw_loader loader = nullptr;
  if (!unpack(given, count, object, target) || !from_python(state_of(module), object, loader)) return nullptr;
  return fill_doubles(target,
                      [&](double* values, std::uint64_t room) { return function(loader, values, room); });
}

// loader_feature_statistics(loader, ddof, means, variances or None)
PyObject* loader_feature_statistics(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *object, *number, *means, *variances;
  nw_loader loader = nullptr;
  std::uint64_t ddof = 0;
  if (!unpack(given, count, object, number, means, variances) ||
      !from_python(state_of(module), object, loader) || !from_python(state_of(module), number, ddof))
    return nullptr;
  Buffer second;
  if (variances != Py_None && !second.get(variances, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)) return nullptr;
  return fill_doubles(means, [&](double* values, std::uint64_t room) {
    auto* to = second.held ? static_cast<double*>(second.view.buf) : nullptr;
    if (second.held && static_cast<std::uint64_t>(second.view.len) / sizeof(double) < room) to = nullptr;
    return nw_loader_feature_statistics(loader, ddof, values, to, room);
  });
}

// loader_write(loader, row, col, dtype, int or float)
PyObject* loader_write(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *object, *row_number, *col_number, *value;
  nw_loader loader = nullptr;
  std::uint64_t row = 0, col = 0;
  State& state = state_of(module);
  if (!unpack(given, count, object, row_number, col_number, value) || !from_python(state, object, loader) ||
      !from_python(state, row_number, row) || !from_python(state, col_number, col))
    return nullptr;
  union {
    double f64;
    std::int64_t i64;
    std::uint64_t u64;
  } number{};
  nw_dtype dtype = NW_F64;
  if (PyFloat_Check(value) != 0) {
    number.f64 = PyFloat_AsDouble(value);
  } else {
    const Ref index(PyNumber_Index(value));
    if (!index) return nullptr;
    number.i64 = PyLong_AsLongLong(index.get());
    dtype = NW_I64;
    if (number.i64 == -1 && PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      number.u64 = PyLong_AsUnsignedLongLong(index.get());
      dtype = NW_U64;
      if (PyErr_Occurred() != nullptr) return nullptr;
    }
  }
  if (const nw_error error = nw_loader_write(loader, row, col, dtype, &number); error != NW_OK)
    return raise(error);
  Py_RETURN_NONE;
}

// plan_make(topology, dataset, policy, binding, weights, given_weights, targets)
PyObject* plan_make(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *machine, *shape, *policy, *binding, *weights, *list, *nodes;
  State& state = state_of(module);
  nw_topology topology = nullptr;
  nw_dataset dataset{};
  nw_plan_options options{};
  options.size = sizeof options;
  std::vector<double> numbers;
  std::vector<std::uint32_t> targets;
  if (!unpack(given, count, machine, shape, policy, binding, weights, list, nodes) ||
      !from_python(state, machine, topology) || !read_dataset(state_of(module), shape, dataset) ||
      !from_python(state, policy, options.policy) || !from_python(state, binding, options.binding) ||
      !from_python(state, weights, options.weights) || !read_list(state, list, numbers) ||
      !read_list(state, nodes, targets))
    return nullptr;
  options.given_weights = numbers.data();
  options.num_given_weights = numbers.size();
  options.targets = targets.data();
  options.num_targets = targets.size();
  nw_plan plan = nullptr;
  if (const nw_error error = nw_plan_make(topology, &dataset, &options, &plan); error != NW_OK)
    return raise(error);
  return own_handle(state, plan);
}

// source_open(path, dtype)
PyObject* open_source(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *name, *number;
  const char* path = nullptr;
  nw_source_options options{};
  options.size = sizeof options;
  State& state = state_of(module);
  if (!unpack(given, count, name, number) || !from_python(state, name, path) ||
      !from_python(state, number, options.dtype))
    return nullptr;
  nw_source source = nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_source_open(path, &options, &source);
  }
  return error == NW_OK ? own_handle(state, source) : raise(error);
}

// residency(topology, buffer): (bytes on each node, absent, unknown)
PyObject* residency(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject *machine, *data;
  State& state = state_of(module);
  nw_topology topology = nullptr;
  Buffer buffer;
  if (!unpack(given, count, machine, data) || !from_python(state, machine, topology) ||
      !buffer.get(data, PyBUF_C_CONTIGUOUS))
    return nullptr;
  std::uint32_t nodes = 0;
  if (const nw_error error = nw_topology_num_nodes(topology, &nodes); error != NW_OK) return raise(error);
  std::vector<std::uint64_t> bytes(nodes);
  std::uint64_t absent = 0, unknown = 0;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_residency(topology, buffer.view.buf, static_cast<std::size_t>(buffer.view.len), bytes.data(),
                         nodes, &absent, &unknown);
  }
  if (error != NW_OK) return raise(error);
  Ref list(list_of(nodes, [&](std::size_t i) { return PyLong_FromUnsignedLongLong(bytes[i]); }));
  if (!list) return nullptr;
  return Py_BuildValue("NKK", list.release(), absent, unknown);
}

// topology_default_targets(topology)
PyObject* topology_default_targets(PyObject* module, PyObject* const* given, Py_ssize_t count) {
  PyObject* machine;
  nw_topology topology = nullptr;
  if (!unpack(given, count, machine) || !from_python(state_of(module), machine, topology)) return nullptr;
  std::size_t found = 0;
  nw_error error = nw_topology_default_targets(topology, nullptr, 0, &found);
  std::vector<std::uint32_t> nodes(found);
  if (error == NW_OK) error = nw_topology_default_targets(topology, nodes.data(), nodes.size(), &found);
  if (error != NW_OK) return raise(error);
  return list_of(nodes.size(), [&](std::size_t i) { return PyLong_FromUnsignedLong(nodes[i]); });
}

}  // namespace

PyMethodDef loader_functions[] = {
    entry_of<loader_make>("loader_make", METH_FASTCALL),
    entry_of<loader_copy>("loader_copy", METH_FASTCALL),
    entry_of<loader_adopt>("loader_adopt", METH_FASTCALL),
    entry_of<loader_load>("loader_load", METH_FASTCALL),
    entry_of<loader_load_planned>("loader_load_planned", METH_FASTCALL),
    entry_of<loader_open>("loader_open", METH_FASTCALL),
    entry_of<loader_open_or_create>("loader_open_or_create", METH_FASTCALL),
    entry_of<loader_import>("loader_import", METH_FASTCALL),
    entry_of<means_into<nw_loader_means>>("loader_means", METH_FASTCALL),
    entry_of<means_into<nw_loader_rounded_means>>("loader_rounded_means", METH_FASTCALL),
    entry_of<loader_feature_statistics>("loader_feature_statistics", METH_FASTCALL),
    entry_of<loader_write>("loader_write", METH_FASTCALL),
    entry_of<plan_make>("plan_make", METH_FASTCALL),
    entry_of<residency>("residency", METH_FASTCALL),
    entry_of<open_source>("source_open", METH_FASTCALL),
    entry_of<topology_default_targets>("topology_default_targets", METH_FASTCALL),
    NODEWISE_WRAP(loader_dataset),
    NODEWISE_WRAP(loader_is_zero_copy),
    NODEWISE_WRAP(loader_layout),
    NODEWISE_WRAP(loader_pages),
    NODEWISE_WRAP(loader_placement),
    NODEWISE_WRAP(loader_plan),
    NODEWISE_WRAP(loader_publish),
    NODEWISE_WRAP(placement_local_fraction),
    NODEWISE_WRAP(placement_require),
    NODEWISE_WRAP(placement_summary),
    NODEWISE_WRAP(placement_to_json),
    NODEWISE_WRAP(placement_total),
    NODEWISE_WRAP(plan_cut_bytes),
    NODEWISE_WRAP(plan_dataset),
    NODEWISE_WRAP(plan_from_json),
    NODEWISE_WRAP(plan_num_shards),
    NODEWISE_WRAP(plan_page_bytes),
    NODEWISE_WRAP(plan_shard),
    NODEWISE_WRAP(plan_shard_of),
    NODEWISE_WRAP(plan_to_json),
    NODEWISE_WRAP(topology_distance),
    NODEWISE_WRAP(topology_fingerprint),
    NODEWISE_WRAP(topology_from_synthetic),
    NODEWISE_WRAP(topology_from_xml),
    NODEWISE_WRAP(topology_is_this_machine),
    NODEWISE_WRAP(topology_node),
    NODEWISE_WRAP(topology_node_of_cpu),
    NODEWISE_WRAP(topology_num_nodes),
    NODEWISE_WRAP(topology_origin),
    NODEWISE_WRAP(topology_page_bytes),
    NODEWISE_WRAP(topology_this_machine),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace nodewise::python
