// Processes that are killed at marks or at random, and what all of them write down together.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "base/mark.hpp"

namespace nodewise::crash {

using Clock = std::chrono::steady_clock;
using base::Mark;
using base::marks;

constexpr auto patience = std::chrono::seconds(20);  // after which it is a hang

inline void sleep_us(std::uint64_t microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

/// What a part of the test found.
struct Outcome {
  std::uint64_t kills = 0;
  std::uint64_t faults = 0;
  std::uint64_t batches = 0;
  std::uint64_t redelivered = 0;
  std::vector<double> recovery_ms;
  void fault(const char* what) {
    ++faults;
    std::printf("FAULT: %s\n", what);
  }
};

/// A T that forked children share.
template <class T>
class Shared {
 public:
  Shared()
      : object_(new (::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                    T) {}
  ~Shared() { ::munmap(object_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const noexcept { return object_; }

 private:
  T* object_;
};

/// Which mark kills whoever passes it next, and how often each has.
struct Trap {
  std::atomic<unsigned> armed{marks};  // a mark; `marks`: none
  std::atomic<unsigned> passes{0};     // how many go by before it closes
  std::atomic<unsigned> then{marks};   // what is armed by the one who dies there
  std::array<std::atomic<std::uint64_t>, marks> kills{};
  /// One who dies at `first` leaves it to another one to die at `second`; `marks`: nobody does.
  void arm(unsigned first, unsigned go_by, unsigned second = marks) noexcept {
    armed = marks;
    passes = go_by;
    then = second;
    armed = first;
  }
  std::uint64_t killed_at(unsigned mark) const noexcept { return mark < marks ? kills[mark].load() : 0; }
};

inline Shared<Trap>& trap() {
  static Shared<Trap> shared;
  return shared;
}

/// In children alone: the supervisor lives.
inline void spring(Mark mark) {
  Trap& shared = *trap().operator->();
  auto armed = static_cast<unsigned>(mark);
  if (shared.armed.load(std::memory_order_relaxed) != armed) return;
  if (shared.passes.load() > 0) {
    shared.passes.fetch_sub(1);
    return;
  }
  if (!shared.armed.compare_exchange_strong(armed, shared.then.load())) return;
  shared.then = marks;
  ++shared.kills[static_cast<unsigned>(mark)];
  ::kill(::getpid(), SIGKILL);
  ::pause();
}

/// Children that members fork at any moment. They live on when a member is killed, and must have none of its
/// locks.
struct Orphans {
  std::array<std::atomic<pid_t>, 8> pids{};  // 0: none; `coming`: one is just being forked
  std::atomic<std::uint64_t> forked{0};
  static constexpr pid_t coming = -1;
};

inline Shared<Orphans>& orphans() {
  static Shared<Orphans> shared;
  return shared;
}

/// Run by a thread of each member.
[[noreturn]] inline void fork_now_and_then() {
  constexpr unsigned longest_life = 120;  // seconds, should the test itself be killed
  std::minstd_rand random(static_cast<unsigned>(::getpid()));
  while (true) {
    sleep_us(random() % 2000);
    auto& pid = orphans()->pids[random() % orphans()->pids.size()];
    pid_t none = 0;
    if (!pid.compare_exchange_strong(none, Orphans::coming)) continue;
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(longest_life);
      while (true) ::pause();
    }
    pid = child > 0 ? child : 0;
    ++orphans()->forked;
  }
}

/// Makes room for another one. A member that is killed while it forks leaves a place that is taken.
inline void end_orphan(std::size_t which) {
  const pid_t pid = orphans()->pids[which].exchange(0);
  if (pid > 0) ::kill(pid, SIGKILL);
}

/// Children that are replaced when they die.
class Crew {
 public:
  using Work = std::function<void()>;
  explicit Crew(std::vector<Work> works) : works_(std::move(works)), pids_(works_.size()) {}
  ~Crew() {
    for (const pid_t pid : pids_)
      if (pid > 0) ::kill(pid, SIGKILL);
    for (const pid_t pid : pids_)
      if (pid > 0) ::waitpid(pid, nullptr, 0);
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void start_all() {
    for (std::size_t i = 0; i < works_.size(); ++i) start(i);
  }
  void kill_one(std::size_t index) {
    if (pids_[index] > 0) ::kill(pids_[index], SIGKILL);
  }
  std::size_t size() const noexcept { return works_.size(); }

  /// Starts those that were killed anew.
  void restart() {
    if (++restarts_ % 16 == 0) end_orphan(restarts_ / 16 % orphans()->pids.size());
    for (std::size_t i = 0; i < works_.size(); ++i)
      if (pids_[i] == killed_mark) start(i);
  }

  /// Looks who has died: how many were killed. Whoever ends in another way than he should has found a fault.
  unsigned reap() {
    unsigned now = 0;
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      int status = 0;
      if (pids_[i] <= 0 || ::waitpid(pids_[i], &status, WNOHANG) != pids_[i]) continue;
      const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      pids_[i] = was_killed ? killed_mark : 0;
      if (was_killed) ++now;
      if (!was_killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) ++faults;
    }
    killed += now;
    return now;
  }
  /// Until the trap has sprung as often as it is armed for, for half a second at most; the dead are replaced
  /// meanwhile. How many were killed.
  unsigned await_death() {
    const auto until = Clock::now() + std::chrono::milliseconds(500);
    unsigned now = 0;
    while (Clock::now() < until && (now == 0 || trap()->armed != marks)) {
      now += reap();
      restart();
      std::this_thread::yield();
    }
    return now;
  }
  bool all_ended() const {
    for (const pid_t pid : pids_)
      if (pid > 0) return false;
    return true;
  }
  /// Nobody dies any more: everybody comes to an end, `each_turn` being called until then.
  template <class Turn>
  void await_end(Outcome& outcome, Turn each_turn) {
    const auto until = Clock::now() + patience;
    do {
      reap();
      each_turn();
      sleep_us(200);
    } while (!all_ended() && Clock::now() < until);
    if (!all_ended()) outcome.fault("somebody waits for ever");
    if (faults > 0) outcome.fault("a child ended otherwise than by SIGKILL");
  }
  unsigned faults = 0;
  std::uint64_t killed = 0;  // in all

 private:
  static constexpr pid_t killed_mark = -1;
  void start(std::size_t index) {
    pids_[index] = ::fork();
    if (pids_[index] != 0) return;
    base::on_mark = &spring;
    std::thread(fork_now_and_then).detach();
    try {
      works_[index]();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "a child: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  std::vector<Work> works_;
  std::vector<pid_t> pids_;
  std::size_t restarts_ = 0;
};

}  // namespace nodewise::crash
