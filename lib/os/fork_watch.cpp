#include "os/fork_watch.hpp"

#include <pthread.h>

#include <mutex>
#include <utility>

namespace nodewise::os {

// A forked child must find this list complete. So the list changes only while the mutex is held, and a fork
// waits for the mutex.
struct ForkWatches {
  static void watch_forks() {
    static const int registered =
        ::pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); },
                         [] {
                           mutex.unlock();
                           for (ForkWatch* watch = first; watch != nullptr; watch = watch->next_)
                             watch->in_child_();
                         });
    static_cast<void>(registered);
  }
  static inline std::mutex mutex;
  static inline ForkWatch* first = nullptr;
};

ForkWatch::ForkWatch(std::function<void()> in_child) : in_child_(std::move(in_child)) {
  ForkWatches::watch_forks();
  const std::lock_guard lock(ForkWatches::mutex);
  next_ = ForkWatches::first;
  if (next_ != nullptr) next_->before_ = this;
  ForkWatches::first = this;
}

ForkWatch::~ForkWatch() {
  const std::lock_guard lock(ForkWatches::mutex);
  if (next_ != nullptr) next_->before_ = before_;
  (before_ != nullptr ? before_->next_ : ForkWatches::first) = next_;
}

ForkWatch::Pause::Pause() {
  ForkWatches::watch_forks();
  ForkWatches::mutex.lock();
}
ForkWatch::Pause::~Pause() {
  ForkWatches::mutex.unlock();
}

}  // namespace nodewise::os
