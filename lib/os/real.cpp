// The real system.
#include <fcntl.h>
#include <numaif.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <vector>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "os/descriptor.hpp"
#include "os/hwloc/topology.hpp"
#include "os/loaded.hpp"
#include "os/pages_status.hpp"
#include "os/real_shared.hpp"
#include "os/system_page.hpp"
#include "os/text_file.hpp"
#include "os/threads.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older headers lack it
#endif
#ifndef MPOL_F_STATIC_NODES
#define MPOL_F_STATIC_NODES (1 << 15)  // older numaif.h lacks it
#endif

namespace nodewise::os {
namespace {

// The node mask of the mempolicy calls. Kernels disagree on whether `maxnode` counts one bit too many, so the
// mask has a spare zeroed word behind its bits.
struct NodeMask {
  static constexpr unsigned bits = 8 * sizeof(unsigned long);
  explicit NodeMask(const IndexSet& nodes) {
    for (const unsigned node : nodes.indices()) {
      if (words.size() < node / bits + 2) words.resize(node / bits + 2);
      words[node / bits] |= 1UL << node % bits;
    }
  }
  unsigned long maxnode() const noexcept { return (words.size() - 1) * bits + 1; }
  std::vector<unsigned long> words = std::vector<unsigned long>(2);
};

constexpr unsigned max_nodes = 4096;  // more than any kernel knows

IndexSet nodes_in(const std::vector<unsigned long>& mask) {
  IndexSet nodes;
  for (unsigned node = 0; node < max_nodes; ++node)
    if (mask[node / NodeMask::bits] >> node % NodeMask::bits & 1) nodes.insert(node);
  return nodes;
}

// By number, because older numaif.h lack the later ones. A policy without nodes takes the nearest one.
ThreadPolicy policy_of(int mode, IndexSet nodes) {
  constexpr int without_flags = (1 << 13) - 1;
  constexpr const char* names[] = {
      "", "preferred", "bind", "interleave", "local", "preferred-many", "weighted-interleave"};
  const auto number = static_cast<std::size_t>(mode & without_flags);
  if (number >= std::size(names) || nodes.empty()) return {};
  const std::string name = names[number];
  return {name, name.ends_with("interleave"), std::move(nodes)};
}

int bind_to(void* data, std::size_t bytes, int mode, const IndexSet& nodes, unsigned flags = 0) {
  const NodeMask mask(nodes);
  // Static: if the cpuset changes later, the kernel must not replace one node by another.
  mode |= MPOL_F_STATIC_NODES;
  return ::mbind(data, bytes, mode, mask.words.data(), mask.maxnode(), flags) == 0 ? 0 : errno;
}

// For kernels before Linux 5.14: writes to each page what it contains, which makes it present without
// changing it.
void touch(std::byte* data, std::size_t bytes) noexcept {
  for (std::size_t offset = 0; offset < bytes; offset += system_page_bytes())
    __atomic_fetch_or(reinterpret_cast<unsigned char*>(data + offset), 0, __ATOMIC_RELAXED);
}

class Real final : public RealShared {
 public:
  std::size_t base_page_bytes() const noexcept override { return system_page_bytes(); }

  Result<void*> map(std::size_t bytes, std::size_t alignment, std::size_t hugetlb_page_bytes) override {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    if (hugetlb_page_bytes > 0)
      flags |= MAP_HUGETLB | static_cast<int>(std::countr_zero(hugetlb_page_bytes)) << MAP_HUGE_SHIFT;
    const bool aligned_by_kernel = hugetlb_page_bytes > 0 || alignment <= system_page_bytes();
    const auto mapped_bytes = base::checked_add(bytes, aligned_by_kernel ? 0 : alignment);
    if (!mapped_bytes) return {nullptr, ENOMEM};
    void* mapped = ::mmap(nullptr, *mapped_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapped == MAP_FAILED) return {nullptr, errno};
    if (aligned_by_kernel) return {mapped, 0};
    return {trim(static_cast<std::byte*>(mapped), *mapped_bytes, bytes, alignment), 0};
  }

  int unmap(void* data, std::size_t bytes) noexcept override {
    return ::munmap(data, bytes) == 0 ? 0 : errno;
  }

  int advise(void* data, std::size_t bytes, Advice advice) override {
    const int kernel_advice = advice == Advice::huge_pages      ? MADV_HUGEPAGE
                              : advice == Advice::no_huge_pages ? MADV_NOHUGEPAGE
                                                                : MADV_DONTDUMP;
    return ::madvise(data, bytes, kernel_advice) == 0 ? 0 : errno;
  }

  int bind(void* data, std::size_t bytes, BindMode mode, unsigned node) override {
    return bind_to(data, bytes, mode == BindMode::preferred ? MPOL_PREFERRED : MPOL_BIND, {node},
                   mode == BindMode::strict_moving ? MPOL_MF_MOVE : 0);
  }

  int interleave(void* data, std::size_t bytes, const IndexSet& nodes) override {
    return bind_to(data, bytes, MPOL_INTERLEAVE, nodes);
  }

  Result<ThreadPolicy> thread_policy() override {
    int mode = MPOL_DEFAULT;
    std::vector<unsigned long> mask(max_nodes / NodeMask::bits + 1);
    if (::get_mempolicy(&mode, mask.data(), max_nodes + 1, nullptr, 0) != 0) return {{}, errno};
    return {policy_of(mode, nodes_in(mask)), 0};
  }

  int populate(void* data, std::size_t bytes) override {
    if (::madvise(data, bytes, MADV_POPULATE_WRITE) == 0) return 0;
    if (errno != EINVAL) return errno;
    touch(static_cast<std::byte*>(data), bytes);
    return 0;
  }

  int pages_status(std::span<void* const> pages, std::span<int> status) override {
    return ask_pages_status(pages, status);
  }

  void look_at_shared(const void* data, std::size_t bytes) override { os::look_at_shared(data, bytes); }

  int check_mapped(const void* data, std::size_t bytes) override {
    // On Linux, an asynchronous msync starts no write. It only walks the mappings.
    std::byte* begin = page_of(data);
    const auto length = static_cast<std::size_t>(static_cast<const std::byte*>(data) + bytes - begin);
    return ::msync(begin, length, MS_ASYNC) == 0 ? 0 : errno;
  }

  Result<IndexSet> affinity() override { return affinity_of(0); }
  Result<IndexSet> affinity_of_process() override { return affinity_of(::getpid()); }

  int set_affinity(const IndexSet& wanted) override {
    Cpus cpus;
    for (const unsigned cpu : wanted.indices()) {
      if (cpu >= Cpus::count) return EINVAL;
      CPU_SET_S(cpu, sizeof cpus.words, cpus.set());
    }
    return ::sched_setaffinity(0, sizeof cpus.words, cpus.set()) == 0 ? 0 : errno;
  }

  int unlimit_affinity() override {
    Cpus cpus;
    std::memset(cpus.words, 0xff, sizeof cpus.words);
    return ::sched_setaffinity(0, sizeof cpus.words, cpus.set()) == 0 ? 0 : errno;
  }

  Result<unsigned> current_cpu() override {
    const int cpu = ::sched_getcpu();
    return cpu < 0 ? Result<unsigned>{0, errno} : Result<unsigned>{static_cast<unsigned>(cpu), 0};
  }

  Result<unsigned> try_threads(unsigned count, std::size_t stack_bytes) override {
    return start_and_end_threads(count, stack_bytes);
  }

  std::size_t default_stack_bytes() const noexcept override { return os::default_stack_bytes(); }

  Result<MachineData> this_machine() override {
    try {
      return {hwloc_this_machine(), 0};
    } catch (const SystemError& error) {
      return {{}, error.code()};
    }
  }

  Result<IndexSet> allowed_nodes() override {
    std::vector<unsigned long> mask(max_nodes / NodeMask::bits + 1);
    if (::get_mempolicy(nullptr, mask.data(), max_nodes + 1, nullptr, MPOL_F_MEMS_ALLOWED) != 0)
      return {{}, errno};
    return {nodes_in(mask), 0};
  }

  Result<std::string> read_text(const std::string& path) override { return read_text_file(path); }

  Result<std::string> host_name() override {
    char name[256] = {};
    if (::gethostname(name, sizeof name - 1) != 0) return {{}, errno};
    return {name, 0};
  }

  int process_id() const noexcept override { return ::getpid(); }

  Result<ModuleSymbol> open_module(const std::string& file, const std::string& symbol) override {
    return load_module(file, symbol);
  }

  Result<int> open_file(const std::string& path) override {
    // A named pipe is refused later; opening it must not wait.
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    return opened(::open(path.c_str(), flags));
  }

  Result<std::uint64_t> file_bytes(int descriptor) override {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return {0, errno};
    if (S_ISDIR(status.st_mode)) return {0, EISDIR};
    // Its size is not known, so no header can be checked against it.
    if (!S_ISREG(status.st_mode)) return {0, ESPIPE};
    return {static_cast<std::uint64_t>(status.st_size), 0};
  }

  Result<std::size_t> read_at(int descriptor, void* data, std::size_t bytes, std::uint64_t offset) override {
    while (true) {
      const ssize_t got = ::pread(descriptor, data, bytes, static_cast<off_t>(offset));
      if (got >= 0) return {static_cast<std::size_t>(got), 0};
      if (errno != EINTR) return {0, errno};
    }
  }

  int close_file(int descriptor) noexcept override { return ::close(descriptor) == 0 ? 0 : errno; }

  int write_text(const std::string& path, const std::string& text) override {
    return write_text_file(path, text);
  }

  int write_error(const std::string& text) override { return write_text_file("/dev/stderr", text); }

 private:
  struct Cpus {
    static constexpr unsigned count = 8192;  // the kernel's own limit; with a smaller mask it returns EINVAL
    unsigned long words[count / (8 * sizeof(unsigned long))] = {};
    cpu_set_t* set() noexcept { return reinterpret_cast<cpu_set_t*>(words); }
  };

  // Of a thread; 0 is the calling one.
  static Result<IndexSet> affinity_of(pid_t thread) {
    Cpus cpus;
    if (::sched_getaffinity(thread, sizeof cpus.words, cpus.set()) != 0) return {{}, errno};
    IndexSet result;
    constexpr unsigned word_bits = sizeof cpus.words[0] * 8;
    for (unsigned word = 0; word < std::size(cpus.words); ++word)  // by words: every call of a team asks
      for (auto bits = cpus.words[word]; bits != 0; bits &= bits - 1)
        result.insert(word * word_bits + static_cast<unsigned>(std::countr_zero(bits)));
    return {std::move(result), 0};
  }

  // Unmaps what lies before and behind the aligned part.
  static void* trim(std::byte* mapped, std::size_t mapped_bytes, std::size_t bytes, std::size_t alignment) {
    const auto address = reinterpret_cast<std::uintptr_t>(mapped);
    const std::size_t before = base::round_up(address, alignment) - address;
    const std::size_t kept = base::round_up(bytes, system_page_bytes());
    if (before > 0) ::munmap(mapped, before);
    const std::size_t behind = mapped_bytes - before - kept;
    if (behind > 0) ::munmap(mapped + before + kept, behind);
    return mapped + before;
  }
};

std::atomic<Os*> in_use{nullptr};
bool forked = false;

// Registered when the library is loaded, so that the answer does not depend on earlier calls.
[[maybe_unused]] const int at_fork = ::pthread_atfork(nullptr, nullptr, [] { forked = true; });

}  // namespace

Os& real() noexcept {
  // Never destroyed: objects with static storage, such as loaders, may end after this file's would.
  static Real& instance = *new Real;
  return instance;
}

Os& current() noexcept {
  Os* replacement = in_use.load(std::memory_order_acquire);
  return replacement != nullptr ? *replacement : real();
}

Scoped::Scoped(Os& replacement) noexcept : previous_(in_use.exchange(&replacement)) {}
Scoped::~Scoped() {
  in_use.store(previous_);
}

bool in_forked_child() noexcept {
  return forked;
}

}  // namespace nodewise::os
