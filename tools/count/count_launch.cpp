// In the counted machine, as root: tells the counter which CPU and which memory is on which node, as the
// kernel says, then runs a program between two marks.
//
//     count_launch FOLDER PROGRAM [ARGUMENT...]
//
// The program writes to FOLDER/stdout and FOLDER/stderr: files, so that no other program of the machine runs
// while it does. Between the marks this one makes no access to memory itself. The exit code is the program's,
// or 128 and its signal.
#include <dirent.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "count_marks.hpp"

namespace nodewise::count {
namespace {

constexpr unsigned max_nodes = 64;
constexpr int not_found = 127;
constexpr int failed = 125;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "count_launch: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(failed);
}

// The page whose addresses stand for numbers.
const std::byte* numbers() {
  alignas(page_bytes) static std::byte page[page_bytes];
  return page;
}

// CPUs are numbered by the kernel's mask; one that cannot be had is offline, and counts nothing.
void tell_cpus() {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) fail("sched_getaffinity");
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (::sched_setaffinity(0, sizeof one, &one) != 0) continue;
    unsigned node = 0;
    if (::getcpu(nullptr, &node) != 0) fail("getcpu");
    tell<Mark::cpu_node>(numbers() + node);
  }
  if (::sched_setaffinity(0, sizeof allowed, &allowed) != 0) fail("sched_setaffinity");
}

bool has_memory(unsigned node) {
  std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo");
  for (std::string word; file >> word;)
    if (word == "MemTotal:") return file >> word && word != "0";
  return false;
}

// A page that lies on the node; what is asked is verified.
void tell_memory(unsigned node) {
  void* page = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) fail("mmap");
  const unsigned long mask[2] = {1UL << node, 0};
  if (::syscall(SYS_mbind, page, page_bytes, MPOL_BIND, mask, max_nodes + 1, 0) != 0) fail("mbind");
  std::memset(page, 1, page_bytes);
  int status = -1;
  if (::syscall(SYS_move_pages, 0, 1, &page, nullptr, &status, 0) != 0) fail("move_pages");
  errno = ENOMEM;
  if (status != static_cast<int>(node)) fail("a page on node " + std::to_string(node));
  tell<Mark::memory_node>(static_cast<std::byte*>(page) + node);
  ::munmap(page, page_bytes);
}

// Where execve finds it; empty where nothing is.
std::string path_of(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0 ? program : "";
  const char* variable = std::getenv("PATH");
  const std::string folders = variable == nullptr ? "/usr/bin:/bin" : variable;
  for (std::size_t begin = 0; begin <= folders.size();) {
    const auto end = std::min(folders.find(':', begin), folders.size());
    auto path = folders.substr(begin, end - begin) + '/' + program;
    if (::access(path.c_str(), X_OK) == 0) return path;
    begin = end + 1;
  }
  return "";
}

void write_into(const std::string& path, int descriptor) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0 || ::dup2(file, descriptor) < 0) fail(path);
}

// Marks, fork, execve, wait4 and nothing else: only registers are touched, so that every access of user code
// between the marks is the program's. Returns the status of wait4.
int run_between_marks(const char* path, char** arguments, char** environment) {
  int status = 0;
#if defined(__x86_64__)
  register const char* program asm("rbx") = path;
  register char** words asm("r12") = arguments;
  register char** variables asm("r13") = environment;
  register int* answer asm("r14") = &status;
  const auto mark = [](Mark which) { return magic + static_cast<std::uint32_t>(which); };
  asm volatile(
      "lea -%c[begin](%%r14), %%rax\n\t"
      ".byte 0x8a, 0x80\n\t.long %c[begin]\n\t"
      "mov %[fork], %%eax\n\t"
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %%rbx, %%rdi\n\t"  // the child
      "mov %%r12, %%rsi\n\t"
      "mov %%r13, %%rdx\n\t"
      "mov %[execve], %%eax\n\t"
      "syscall\n\t"
      "mov %[not_found], %%edi\n\t"
      "mov %[exit], %%eax\n\t"
      "syscall\n"
      "1:\tmov %%rax, %%r15\n"
      "2:\tmov %%r15, %%rdi\n\t"
      "mov %%r14, %%rsi\n\t"
      "xor %%edx, %%edx\n\t"
      "xor %%r10d, %%r10d\n\t"
      "mov %[wait], %%eax\n\t"
      "syscall\n\t"
      "cmp %[interrupted], %%rax\n\t"
      "je 2b\n\t"
      "lea -%c[end](%%r14), %%rax\n\t"
      ".byte 0x8a, 0x80\n\t.long %c[end]\n\t"
      :
      : "r"(program), "r"(words), "r"(variables),
        "r"(answer), [begin] "i"(mark(Mark::begin)), [end] "i"(mark(Mark::end)), [fork] "i"(SYS_fork),
        [execve] "i"(SYS_execve), [exit] "i"(SYS_exit_group), [wait] "i"(SYS_wait4),
        [not_found] "i"(not_found), [interrupted] "i"(-EINTR)
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r15", "memory", "cc");
#else
  static_cast<void>(path), static_cast<void>(arguments), static_cast<void>(environment);
#endif
  return status;
}

}  // namespace
}  // namespace nodewise::count

int main(int count, char** words) {
  using namespace nodewise::count;
  if (count < 3) return failed;
  const std::string folder = words[1];
  tell_cpus();
  for (unsigned node = 0; node < max_nodes; ++node)
    if (has_memory(node)) tell_memory(node);
  const auto path = path_of(words[2]);
  if (path.empty()) {
    std::fprintf(stderr, "there is no program %s\n", words[2]);
    return not_found;
  }
  write_into(folder + "/stdout", STDOUT_FILENO);
  write_into(folder + "/stderr", STDERR_FILENO);
  const int status = run_between_marks(path.c_str(), words + 2, environ);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
