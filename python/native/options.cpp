#include "options.hpp"

#include <string_view>

#include "wrap.hpp"

namespace nodewise::python {

std::int32_t signalled(void* thread) {
  restore_thread(static_cast<PyThreadState*>(thread));
  const int failed = PyErr_CheckSignals();
  PyEval_SaveThread();
  return failed == 0 ? 0 : 1;
}

bool Options::read_member(const char* name, PyObject* value) {
  struct Number {
    std::string_view name;
    std::int32_t& to;
  };
  const Number numbers[] = {
      {"policy", options_.policy},         {"binding", options_.binding},
      {"weights", options_.weights},       {"pages", options_.pages},
      {"layout", options_.layout},         {"keep", options_.keep},
      {"scheduling", options_.scheduling}, {"publish_later", options_.publish_later},
  };
  for (const Number& number : numbers)
    if (number.name == name) return from_python(state_, value, number.to);
  const std::string_view key = name;
  if (key == "workers") return from_python(state_, value, options_.workers);
  if (key == "patience") return from_python(state_, value, options_.patience);
  if (key == "segment") return from_python(state_, value, options_.segment);
  if (key == "topology") return from_python(state_, value, options_.topology);
  if (key == "targets") {
    if (!read_list(state_, value, targets_)) return false;
    options_.targets = targets_.data();
    options_.num_targets = targets_.size();
    return true;
  }
  if (key == "given_weights") {
    if (!read_list(state_, value, weights_)) return false;
    options_.given_weights = weights_.data();
    options_.num_given_weights = weights_.size();
    return true;
  }
  PyErr_Format(PyExc_TypeError, "there is no option %s", name);
  return false;
}

bool Options::read(PyObject* dict) {
  if (PyDict_Check(dict) == 0) {
    PyErr_SetString(PyExc_TypeError, "options are a dict");
    return false;
  }
  PyObject *key, *value;
  for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) != 0;) {
    const char* name = PyUnicode_AsUTF8AndSize(key, nullptr);
    if (name == nullptr || !read_member(name, value)) return false;
  }
  return true;
}

const nw_loader_options* Options::with_signals(PyThreadState* thread) {
  if (nw_stop_make_polled(signalled, thread, &stop_) != NW_OK) return nullptr;
  options_.stop = stop_;
  return &options_;
}

}  // namespace nodewise::python
