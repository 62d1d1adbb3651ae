// Options of loaders from a dict, and a stop token that looks for Ctrl-C.
#pragma once

#include <vector>

#include "native.hpp"

namespace nodewise::python {

/// Options of a loader, from a dict whose keys are the names of members of nw_loader_options. Texts and
/// numbers in it must live as long as this object.
class Options {
 public:
  explicit Options(State& state) : state_(state) { options_.size = sizeof options_; }
  ~Options() { nw_free(stop_); }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  /// False with a Python exception if a key or a value is wrong.
  bool read(PyObject* dict);
  /// The options, with a token that asks Python about signals while `thread` is released. Null if there is
  /// no memory.
  const nw_loader_options* with_signals(PyThreadState* thread);

 private:
  bool read_member(const char* name, PyObject* value);
  State& state_;
  nw_loader_options options_{};
  std::vector<double> weights_;
  std::vector<std::uint32_t> targets_;
  nw_stop stop_ = nullptr;
};

}  // namespace nodewise::python
