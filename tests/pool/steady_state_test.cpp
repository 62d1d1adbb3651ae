// Goal: a loop over a dataset with pools and an arena, once it is warm, asks the kernel for no memory and
// takes no page fault, for a thousand epochs. Method: this program, executed anew, forbids itself every call
// that has to do with memory, in all its threads, by a seccomp filter that ends it at the first one; and
// counts its page faults.
#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include <nodewise/loader.hpp>
#include <nodewise/node_pools.hpp>
#include <nodewise/replicated.hpp>

#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace nodewise;

namespace {

constexpr const char* child_mark = "NODEWISE_STEADY_STATE_TEST_CHILD";
constexpr int epochs = 1000;
enum Ending : int { steady = 0, faulted = 50, asked = 51, no_filter = 52, wrong = 53 };

constexpr unsigned forbidden[] = {SYS_mmap,       SYS_munmap,        SYS_mremap,   SYS_brk,
                                  SYS_madvise,    SYS_mbind,         SYS_mprotect, SYS_clone,
                                  SYS_move_pages, SYS_set_mempolicy, SYS_clone3,   SYS_openat};

void forbidden_call(int, siginfo_t* info, void*) {
  char text[] = "system call 000\n";
  for (int digit = 2, number = info->si_syscall; digit >= 0; --digit, number /= 10)
    text[12 + digit] = static_cast<char>('0' + number % 10);
  static_cast<void>(::write(STDERR_FILENO, text, sizeof text - 1) == 0);
  ::_exit(asked);
}

// From here on, in every thread of this process.
bool forbid() {
  struct sigaction action {};
  action.sa_sigaction = forbidden_call;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSYS, &action, nullptr);
  std::vector<sock_filter> filter{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned call : forbidden) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

long page_faults() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_minflt + used.ru_majflt;
}

// A day of training in small: means of all batches, and workers who copy each batch into a block of their own
// node's pool, and build something upon it in scratch memory.
class Epochs {
 public:
  void run_one() {
    batch_means(loader_.buffer(), loader_.team(), means_);
    std::mutex mutex;
    double sum = 0;
    loader_.team().for_each_shard(loader_.plan(), [&](const ShardPart& part) {
      const double weight = table_.local()[1];
      double mine = 0;
      for (const auto batch : part.batches) {
        const auto view = loader_.get_batch(batch).as<float>();
        std::pmr::vector<float> slot(view.data(), view.data() + view.size(), &pools_.local());
        std::pmr::vector<double> wide(slot.begin(), slot.end(), &pools_.local());
        mine += weight * std::accumulate(wide.begin(), wide.end(), 0.0);
      }
      const std::lock_guard lock(mutex);
      sum += mine;
    });
    ArenaResource& arena = arena_;
    std::pmr::vector<std::pmr::string> names(&arena);
    for (int i = 0; i < 50; ++i) names.emplace_back(static_cast<std::size_t>(i), 'n');
    names = {};
    arena.reset();
    sum_ = sum;
  }
  bool right() const { return sum_ == 2.0 * 3 * 512 * 64; }

 private:
  static BatchLoader threes() {
    BatchLoader loader({{512, 64}, DType::f32, 64});
    for (std::uint64_t batch = 0; batch < loader.num_batches(); ++batch) {
      const auto view = loader.get_batch(batch).as<float>();
      std::fill_n(view.data(), view.size(), 3.0F);
    }
    return loader;
  }

  BatchLoader loader_ = threes();
  NodePools pools_{loader_.team()};
  ArenaResource arena_{&pools_.local(), std::size_t{1} << 16};
  Replicated<std::pmr::vector<double>> table_{pools_, std::pmr::vector<double>{1, 2}};
  std::vector<double> means_ = std::vector<double>(loader_.num_batches());
  double sum_ = 0;
};

Ending run_epochs(Epochs& work) {
  for (int epoch = 0; epoch < 200; ++epoch) work.run_one();  // malloc's own lists take some 40 to settle
  if (!forbid()) return no_filter;
  const long before = page_faults();
  for (int epoch = 0; epoch < epochs; ++epoch) work.run_one();
  const long after = page_faults();
  if (!work.right()) return wrong;
  if (after != before) std::fprintf(stderr, "%ld page faults\n", after - before);
  return after == before ? steady : faulted;
}

bool autonuma_is_on() {
  std::ifstream file("/proc/sys/kernel/numa_balancing");
  int on = 0;
  return file >> on && on != 0;
}

int run_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv(child_mark, "1", 1);
    ::execl("/proc/self/exe", "steady_state_test", "--test-case=a program in its steady state",
            static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("a program in its steady state") {
  if (std::getenv(child_mark) == nullptr) return;  // only as the child of the next case
  static Epochs& work = *new Epochs;               // stays: giving memory back is a call too
  ::_exit(run_epochs(work));
}

TEST_CASE("a thousand epochs: no call for memory, no page fault") {
#if defined(NODEWISE_SANITIZED)
  NODEWISE_SKIP("sanitizers map memory whenever they like; the ordinary build runs this");
#endif
  if (autonuma_is_on())
    NODEWISE_SKIP("AutoNUMA takes pages away in order to see who faults; runs where it is off");
  int status = run_child();
  // The kernel may take a page away on its own account, but hardly each time.
  for (int again = 0; again < 2 && WIFEXITED(status) && WEXITSTATUS(status) == faulted; ++again)
    status = run_child();
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == no_filter) NODEWISE_SKIP("this system lets nobody install a seccomp filter");
  CHECK(WEXITSTATUS(status) == steady);
}
