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

Stop Stop::asking(std::function<bool()> ask) {
  auto state = std::make_shared<State>();
  state->ask = std::move(ask);
  state->asker = std::this_thread::get_id();
  return Stop(std::move(state));
}

bool Stop::asked(const State& state) noexcept {
  constexpr auto pause = std::chrono::milliseconds(10);
  if (std::this_thread::get_id() != state.asker) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now < state.ask_again) return false;
  state.ask_again = now + pause;
  bool stop = true;
  try {
    stop = state.ask();
  } catch (...) {  // a caller that cannot answer wants to end the call
  }
  if (stop) state.requested.store(true, std::memory_order_relaxed);
  return stop;
}

void Stop::throw_stopped(const char* call) {
  throw Stopped(base::text(call, ": stopped before it was done, as its stop token asked"));
}

}  // namespace nodewise
