// Rings of batches. Python waits in slices, between which the interpreter looks for signals.
#include "wrap.hpp"

namespace nodewise::python {
namespace {

// ring_create(name, slots, rows, cols, dtype, producers, consumers, pages, node or -1, topology or None)
PyObject* ring_create(PyObject* module, PyObject* arguments) {
  State& state = state_of(module);
  const char* name = nullptr;
  PyObject *slots, *rows, *cols, *topology;
  long long node = 0;
  nw_ring_options options{};
  options.size = sizeof options;
  if (PyArg_ParseTuple(arguments, "sOOOiiiiLO", &name, &slots, &rows, &cols, &options.dtype,
                       &options.producers, &options.consumers, &options.pages, &node, &topology) == 0 ||
      !from_python(state, slots, options.slots) || !from_python(state, rows, options.rows) ||
      !from_python(state, cols, options.cols) || !from_python(state, topology, options.topology))
    return nullptr;
  options.on_node = node >= 0 ? 1 : 0;
  if (node >= 0) options.node = static_cast<std::uint32_t>(node);
  nw_ring ring = nullptr;
  nw_error error = NW_OK;
  {
    const Released released;
    error = nw_ring_create(name, &options, &ring);
  }
  return error == NW_OK ? own_handle(state, ring) : raise(error);
}

}  // namespace

PyMethodDef ring_functions[] = {
    entry_of<ring_create>("ring_create", METH_VARARGS),
    NODEWISE_WRAP(pages_range),
    NODEWISE_WRAP(ring_borrow),
    NODEWISE_WRAP(ring_close),
    NODEWISE_WRAP(ring_consumer_ended),
    NODEWISE_WRAP(ring_count),
    NODEWISE_WRAP(ring_describe),
    NODEWISE_WRAP(ring_drain),
    NODEWISE_WRAP(ring_lease_tag),
    NODEWISE_WRAP(ring_lease_view),
    NODEWISE_WRAP(ring_loan_view),
    NODEWISE_WRAP(ring_make_consumer),
    NODEWISE_WRAP(ring_make_producer),
    NODEWISE_WRAP(ring_open),
    NODEWISE_WRAP(ring_pages),
    NODEWISE_WRAP(ring_publish),
    NODEWISE_WRAP(ring_recover),
    NODEWISE_WRAP(ring_take),
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace nodewise::python
