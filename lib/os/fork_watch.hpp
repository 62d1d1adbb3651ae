// Functions that run in a forked child before anything else runs there.
#pragma once

#include <functional>

namespace nodewise::os {

/// Calls `in_child` in each child that is forked while this object exists. The only thread of the child calls
/// it before fork() returns there. Precondition, which cannot be checked: `in_child` takes no lock and
/// allocates nothing. Thread class: any thread may make one.
class ForkWatch {
 public:
  explicit ForkWatch(std::function<void()> in_child);
  ~ForkWatch();
  ForkWatch(const ForkWatch&) = delete;
  ForkWatch& operator=(const ForkWatch&) = delete;

  /// While a Pause exists, forks of other threads wait. It protects steps that must not be half done in a
  /// child.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
  };

 private:
  friend struct ForkWatches;
  std::function<void()> in_child_;
  ForkWatch* next_ = nullptr;
  ForkWatch* before_ = nullptr;
};

}  // namespace nodewise::os
