#include <nodewise/stop.hpp>

#include <utility>

#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise {

Stop::Stop() : state_(std::make_shared<State>()) {}

Stop Stop::child() const {
  auto state = std::make_shared<State>();
  state->parent = state_;
  return Stop(std::move(state));
}

void Stop::throw_stopped(const char* call) {
  throw Stopped(base::text(call, ": stopped before it was done, as its stop token asked"));
}

}  // namespace nodewise
