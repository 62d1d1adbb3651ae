// Goal: a child that is forked at any moment never has a lock of its parent: a lock that outlived its owner
// would keep a segment from being collected, and others from opening it. Method: while a segment is made,
// opened, given up, removed, listed or collected, another thread forks at each of the calls to the system
// that this takes; the children live on, and the segment must then be held by no process.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/shared_objects.hpp>

#include "os/fakes/faulty.hpp"
#include "os/file.hpp"
#include "segment/locks.hpp"
#include "segment/names.hpp"
#include "support/errors.hpp"
#include "support/own_segments.hpp"
#include "support/process.hpp"
#include "support/skip.hpp"

using namespace nodewise;
using namespace std::chrono_literals;
using test::Child;
using test::Signal;
using test::unique_name;

namespace {

// Forks a child on a thread of its own when it is told to. The child stays until this ends.
class Forker {
 public:
  Forker() : thread_([this] { run(); }) {}
  ~Forker() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
    for (const pid_t child : children_) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }
  Forker(const Forker&) = delete;
  Forker& operator=(const Forker&) = delete;

  /// Returns when the child is there, or after a while: it waits where forks are paused.
  void fork_beside() {
    std::unique_lock lock(mutex_);
    ++wanted_;
    changed_.notify_all();
    changed_.wait_for(lock, 10ms, [&] { return forked_ == wanted_; });
  }
  /// Returns when all children are there.
  void await() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return forked_ == wanted_; });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return ended_ || forked_ < wanted_; });
      if (forked_ == wanted_) return;
      lock.unlock();
      const pid_t child = ::fork();
      if (child == 0) {
        ++*ready_;
        ::alarm(30);  // should its parent be killed
        while (true) ::pause();
      }
      lock.lock();
      while (child > 0 && *ready_ <= static_cast<long>(forked_)) std::this_thread::yield();
      children_.push_back(child);
      ++forked_;
      changed_.notify_all();
    }
  }
  const test::SharedCount ready_;
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned wanted_ = 0;
  unsigned forked_ = 0;
  bool ended_ = false;
  std::vector<pid_t> children_;
  std::thread thread_;
};

// Has a child forked right behind the `nth` call that opens, locks, unlocks or closes a file.
class Forking : public os::Faulty {
 public:
  Forking(unsigned nth, Forker& forker) : Faulty(os::real()), nth_(nth), forker_(forker) {}
  bool forked() const noexcept { return calls_ >= nth_; }

  os::Result<int> create_shared(const std::string& path) override {
    return behind(Faulty::create_shared(path));
  }
  os::Result<int> open_shared(const std::string& path, bool writable) override {
    return behind(Faulty::open_shared(path, writable));
  }
  os::Result<int> reopen(int descriptor, bool writable) override {
    return behind(Faulty::reopen(descriptor, writable));
  }
  int lock_byte(int descriptor, std::uint64_t byte, os::Lock lock, bool wait) override {
    return behind(Faulty::lock_byte(descriptor, byte, lock, wait));
  }
  int unlock_byte(int descriptor, std::uint64_t byte) override {
    return behind(Faulty::unlock_byte(descriptor, byte));
  }
  int remove_file(const std::string& path) override { return behind(Faulty::remove_file(path)); }

 private:
  template <class Answer>
  Answer behind(Answer answer) {
    if (++calls_ == nth_) forker_.fork_beside();
    return answer;
  }
  unsigned nth_;
  unsigned calls_ = 0;
  Forker& forker_;
};

bool exists(const std::string& path) {
  return std::filesystem::exists(path);
}

// Which of the two bytes is locked.
std::string locked(const os::File& file) {
  const auto is = [&](std::uint64_t byte) {
    return os::current().is_byte_locked(file.descriptor(), byte).value;
  };
  return std::string(is(maker_byte) ? "maker " : "") + (is(holder_byte) ? "holder" : "");
}

os::File opened(const std::string& path) {
  return os::File(os::current().open_shared(path, true));
}

// Makes what `prepare` makes, and runs `use` with a child forked behind its first, second, third ... call.
// `check` sees what is left while the child lives.
void with_forks(const std::function<void(const std::string&)>& prepare,
                const std::function<void(const std::string&)>& use,
                const std::function<void(const std::string&)>& check) {
  bool more = true;
  for (unsigned nth = 1; more; ++nth) {
    CAPTURE(nth);
    const auto name = unique_name("fork");
    prepare(name);
    const os::File before = opened(segment_path(memory_folder, name));  // of a file that may be removed
    Forker forker;
    {
      Forking forking(nth, forker);
      const os::Scoped scoped(forking);
      use(name);
      more = forking.forked();
      forker.await();
    }
    check(name);
    if (before.is_open()) CHECK(locked(before) == "");
    REQUIRE(nth < 100);
  }
}

std::string path_of(const std::string& name) {
  return segment_path(memory_folder, name);
}

void make_kept(const std::string& name) {
  SharedObjects::create(name, {.bytes = 128, .keep = true});
}

void check_free(const std::string& name) {
  CHECK(locked(opened(path_of(name))) == "");
  std::filesystem::remove(path_of(name));
}

void check_gone(const std::string& name) {
  CHECK_FALSE(exists(path_of(name)));
}

}  // namespace

TEST_CASE("forked while a segment is made and given up") {
  with_forks([](auto&) {}, [](auto& name) { SharedObjects::create(name, {.bytes = 128}); }, check_gone);
  with_forks([](auto&) {}, make_kept, check_free);
}

TEST_CASE("forked while a segment is opened and given up") {
  with_forks(
      make_kept, [](auto& name) { Segment::open(name); }, check_free);
  with_forks(
      make_kept, [](auto& name) { SharedObjects::open(name); }, check_free);
}

TEST_CASE("forked while a segment is listed") {
  with_forks(
      make_kept, [](auto&) { test::list_own_segments(); }, check_free);
}

TEST_CASE("forked while a segment is removed") {
  with_forks(
      make_kept, [](auto& name) { Segment::open(name).remove(); }, check_gone);
}

namespace {

void leave(const std::string& name) {
  Signal made;
  Child maker([&] {
    const auto held = SharedObjects::create(name, {.bytes = 128});
    return made.give_and_stay();
  });
  made.await();
  maker.kill();
}

}  // namespace

TEST_CASE("forked while segments of killed processes are collected, or make room for new ones") {
  with_forks(
      leave, [](auto&) { test::collect_own_segments(); }, check_gone);
  with_forks(
      leave, [](auto& name) { SharedObjects::open_or_create(name, {.bytes = 128}); }, check_gone);
  with_forks(
      leave, [](auto& name) { SharedObjects::create(name, {.bytes = 128, .keep = true}); }, check_free);
  const auto unfinished = [](const std::string& name) {
    std::filesystem::remove(path_of(name));
    ::close(::open(path_of(name).c_str(), O_RDWR | O_CREAT, 0600));
  };
  with_forks(
      unfinished, [](auto& name) { SharedObjects::create(name, {.bytes = 128}); }, check_gone);
}

TEST_CASE("a maker that is killed while children live, forked at any of its calls, holds nothing") {
  for (unsigned nth = 1; nth <= 6; ++nth) {
    const auto name = unique_name("killed");
    Signal made;
    const test::SharedCount orphan;
    Child maker([&] {
      Forker forker;
      Forking forking(nth, forker);
      const os::Scoped scoped(forking);
      const auto objects = SharedObjects::create(name, {.bytes = 128});
      forker.await();
      return made.give_and_stay();
    });
    made.await();
    maker.kill();
    CHECK(locked(opened(path_of(name))) == "");
    CHECK(SharedObjects::open_or_create(name).list().empty());
    check_gone(name);
  }
}

TEST_CASE("a child in another pid namespace may have its parent's number, and still gives nothing up") {
#ifdef __clang__
  constexpr bool by_clang = true;
#else
  constexpr bool by_clang = false;
#endif
  if (by_clang) NODEWISE_SKIP("libomp aborts where /proc is another pid namespace's; g++ runs this");
  const auto name = unique_name("number");
  constexpr int not_allowed = 77;
  Child outer([&]() -> bool {
    if (::unshare(CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) ::_exit(not_allowed);
    Child parent([&]() -> bool {  // number 1 of its namespace
      LoaderOptions options;
      options.segment = SegmentOptions{.name = name, .publish = false};
      auto loader = std::make_unique<BatchLoader>(Dataset({8, 4}, DType::f32, 4), options);
      if (::unshare(CLONE_NEWPID) != 0) ::_exit(not_allowed);
      Child child([&] {  // so is this one
        const bool same = ::getpid() == 1;
        loader.reset();
        return same;
      });
      if (child.wait() != 0) return false;
      return exists(path_of(name)) && locked(opened(path_of(name))) == "maker holder";
    });
    const int ended = parent.wait();
    if (ended == not_allowed) ::_exit(not_allowed);
    return ended == 0;
  });
  const int ended = outer.wait();
  if (ended == not_allowed) NODEWISE_SKIP("pid namespaces are not allowed here");
  CHECK(ended == 0);
}
