// Other processes, for tests: forked, so that what they check is written where it is read.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/own_names.hpp"

namespace nodewise::test {

/// A child that runs `work` and ends without what exit() runs: 0 if it returned true, 1 if false, 2 if it
/// threw.
class Child {
 public:
  explicit Child(const std::function<bool()>& work) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::signal(SIGSEGV, SIG_DFL);  // doctest's own would report the child as a test
    ::signal(SIGBUS, SIG_DFL);
    ::_exit(outcome(work));
  }
  ~Child() {
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const noexcept { return pid_; }

  /// How it ended: its exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    remove_openmp_file(pid_);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }

 private:
  static int outcome(const std::function<bool()>& work) {
    try {
      return work() ? 0 : 1;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in a child: %s\n", error.what());
      return 2;
    }
  }
  pid_t pid_;
};

/// A pipe of one byte: one process waits until another one says that it may go on.
class Signal {
 public:
  Signal() {
    if (::pipe(ends_) != 0) throw std::runtime_error("pipe");
  }
  ~Signal() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  void give() const { static_cast<void>(!::write(ends_[1], "x", 1)); }
  void await() const {
    char byte = 0;
    static_cast<void>(!::read(ends_[0], &byte, 1));
  }
  /// Gives, and waits to be killed; what a child returns.
  bool give_and_stay() const {
    give();
    ::pause();
    return true;
  }

 private:
  int ends_[2] = {};
};

using Children = std::vector<std::unique_ptr<Child>>;

/// So many children; `work` outlives them.
inline Children start(int count, const std::function<bool(int)>& work) {
  Children children;
  for (int i = 0; i < count; ++i) children.push_back(std::make_unique<Child>([&work, i] { return work(i); }));
  return children;
}

/// Waits for all.
inline bool all_well(Children& children) {
  bool well = true;
  for (auto& child : children) well = child->wait() == 0 && well;
  return well;
}

/// A number that forked children share.
class SharedCount {
 public:
  SharedCount()
      : count_(new (::mmap(nullptr, sizeof(std::atomic<long>), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) std::atomic<long>(0)) {}
  ~SharedCount() { ::munmap(count_, sizeof *count_); }
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  std::atomic<long>& operator*() const noexcept { return *count_; }

 private:
  std::atomic<long>* count_;
};

}  // namespace nodewise::test
