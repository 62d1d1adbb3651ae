// Blocks of the size of batches: allocated, each of their pages written once, and given back.
//
//   pool/threads:T   2000 blocks for each thread, 4 KiB to 4 MiB, 16 of them alive
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "support/rounds.hpp"

namespace {

using namespace bench;

/// An allocator in a process of its own; see support/churner.cpp.
class Churner {
 public:
  struct Kind {
    const char* way;        // of ours
    const char* allocator;  // of the churner's
    const char* variable;   // of its environment, "NAME=VALUE"
    const char* symbol;     // by which it is known to be there
  };

  Churner(const Kind& kind, unsigned threads) {
    int in[2], out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) throw std::runtime_error("pool_bench: no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      for (const int end : {in[0], in[1], out[0], out[1]}) ::close(end);
      become(kind, threads);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    char ready;
    there_ = ::read(from_, &ready, 1) == 1;
  }
  ~Churner() {
    ::close(to_);
    ::close(from_);
    ::waitpid(pid_, nullptr, 0);
  }
  Churner(const Churner&) = delete;
  Churner& operator=(const Churner&) = delete;

  bool there() const noexcept { return there_; }
  void work() const {
    char byte = 0;
    if (::write(to_, &byte, 1) != 1 || ::read(from_, &byte, 1) != 1)
      throw std::runtime_error("pool_bench: the churner has ended");
  }

 private:
  [[noreturn]] static void become(const Kind& kind, unsigned threads) {
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "churner";
    const std::string count = std::to_string(threads);
    if (kind.variable != nullptr) ::putenv(const_cast<char*>(kind.variable));
    ::execl(program.c_str(), "churner", kind.allocator, count.c_str(), kind.symbol, nullptr);
    ::_exit(127);
  }

  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  bool there_ = false;
};

constexpr Churner::Kind kinds[] = {
    {"nodewise", "nodewise", nullptr, nullptr},
    {"touch", "touch", nullptr, nullptr},
    {"mmap", "mmap", nullptr, nullptr},
    {"glibc", "malloc", nullptr, nullptr},
    {"glibc_fixed", "malloc", "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072", nullptr},
    {"mimalloc", "malloc", "LD_PRELOAD=libmimalloc.so.2", "mi_malloc"},
    {"jemalloc", "malloc", "LD_PRELOAD=libjemalloc.so.2", "mallocx"},
};

void add_cases() {
  for (const auto& kind : kinds) {
    if (!Churner(kind, 1).there()) continue;
    for (const unsigned threads : {1U, 2U})
      add(fmt::format("pool/threads:{}", threads), kind.way, [=]() -> Work {
        return [churner = std::make_shared<Churner>(kind, threads)] { churner->work(); };
      });
  }
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
