// Work that takes two processes.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <functional>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bench {

/// The CPUs that this process may use.
inline std::vector<int> usable_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

inline void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("bench: cannot pin");
}

/// A T in memory that a forked child has too.
template <class T>
T* shared() {
  void* const at = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return new (at) T();
}

/// A child on the last CPU, which does its part of the work whenever this process, pinned to the first one,
/// does the other. `prepare` is called in the child and returns its part.
class Partner {
 public:
  explicit Partner(const std::function<std::function<void()>()>& prepare) : cpus_(usable_cpus()) {
    int go[2], done[2];
    if (::pipe(go) != 0 || ::pipe(done) != 0) throw std::runtime_error("bench: no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(go[1]);
      ::close(done[0]);
      serve(prepare, go[0], done[1], cpus_.back());
    }
    ::close(go[0]);
    ::close(done[1]);
    go_ = go[1];
    done_ = done[0];
    answer();  // it is there
    pin_to(cpus_.front());
  }
  ~Partner() {
    ::close(go_);
    ::close(done_);
    ::waitpid(pid_, nullptr, 0);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : cpus_) CPU_SET(cpu, &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  Partner(const Partner&) = delete;
  Partner& operator=(const Partner&) = delete;

  /// Both parts, at once. Whose partner has ended may wait for ever: SIGALRM ends him.
  template <class Part>
  void with(Part part) {
    constexpr unsigned long_enough = 300;
    const char byte = 0;
    ::alarm(long_enough);
    if (::write(go_, &byte, 1) != 1) throw std::runtime_error("bench: the partner has ended");
    part();
    answer();
    ::alarm(0);
  }

 private:
  [[noreturn]] static void serve(const std::function<std::function<void()>()>& prepare, int go, int done,
                                 int cpu) {
    try {
      pin_to(cpu);
      const std::function<void()> part = prepare();
      char byte = 0;
      while (::write(done, &byte, 1) == 1 && ::read(go, &byte, 1) == 1) part();
    } catch (const std::exception&) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  void answer() const {
    char byte;
    if (::read(done_, &byte, 1) != 1) throw std::runtime_error("bench: the partner has ended");
  }

  std::vector<int> cpus_;
  pid_t pid_ = -1;
  int go_ = -1, done_ = -1;
};

}  // namespace bench
