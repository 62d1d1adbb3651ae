// A token that ends a long call early, for example a load when Ctrl-C is pressed.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include <nodewise/export.hpp>

namespace nodewise {

/// A token that long calls poll. All copies are the same token: a program gives one copy to a call and keeps
/// another. After request() on any copy, the call ends and throws Stopped. Thread class: any thread;
/// request() may be called in a signal handler.
class NODEWISE_PUBLIC Stop {
 public:
  Stop();
  /// Requests the end of the calls. A token cannot be reset.
  void request() noexcept { state_->requested.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept {
    for (const State* state = state_.get(); state != nullptr; state = state->parent.get())
      if (state->requested.load(std::memory_order_relaxed) || (state->ask && asked(*state))) return true;
    return false;
  }
  /// Throws Stopped, which names `call`, if this token was requested.
  void check(const char* call) const {
    if (requested()) [[unlikely]]
      throw_stopped(call);
  }
  /// A new token, which is requested when this one is, and which can also be requested alone.
  Stop child() const;
  /// A new token, which is also requested as soon as `ask` returns true or throws. `ask` is called while a
  /// call polls the token, but only on the thread that made the token, and at most every ten milliseconds. So
  /// a program whose signals are handled by one thread can end the calls of that thread.
  static Stop asking(std::function<bool()> ask);

 private:
  struct State {
    mutable std::atomic<bool> requested{false};
    std::shared_ptr<const State> parent;
    std::function<bool()> ask;
    std::thread::id asker;
    mutable std::chrono::steady_clock::time_point ask_again;  // only the asker uses it
  };
  static_assert(std::atomic<bool>::is_always_lock_free);
  explicit Stop(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  static bool asked(const State& state) noexcept;
  [[noreturn]] static void throw_stopped(const char* call);
  std::shared_ptr<State> state_;
};

}  // namespace nodewise
