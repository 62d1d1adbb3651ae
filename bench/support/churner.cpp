// A process in which one allocator is churned, each time that a byte comes in; then a byte goes out. So every
// allocator is the one that its users have, malloc of the whole process or not, and keeps nothing of
// another's.
//
//   churner nodewise|touch|mmap|malloc THREADS [SYMBOL]   SYMBOL must be there, else it ends at once
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <nodewise/node_pools.hpp>

#include "support/churn.hpp"
#include "support/data.hpp"

namespace {

using namespace bench;

void by_mmap(unsigned thread) {
  churn(
      thread,
      [](std::size_t bytes) {
        return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      },
      [](void* block, std::size_t bytes) { ::munmap(block, bytes); });
}

void by_malloc(unsigned thread) {
  churn(
      thread, [](std::size_t bytes) { return std::malloc(bytes); },
      [](void* block, std::size_t) { std::free(block); });
}

// The bound: no allocator at all, each block where the oldest one was.
void by_touch(unsigned thread) {
  static std::array<Mapping, 2> all = {Mapping(churn_alive << 22, nodewise::PageKind::transparent),
                                       Mapping(churn_alive << 22, nodewise::PageKind::transparent)};
  std::size_t next = 0;
  churn(
      thread, [&](std::size_t) { return all[thread % 2].data() + (next++ % churn_alive << 22); },
      [](void*, std::size_t) {});
}

std::function<void(unsigned)> by_pools(unsigned threads) {
  return [pools = std::make_shared<nodewise::NodePools>(team(threads))](unsigned thread) {
    nodewise::PoolResource& pool = pools->local();
    churn(
        thread, [&](std::size_t bytes) { return pool.allocate(bytes); },
        [&](void* block, std::size_t bytes) { pool.deallocate(block, bytes); });
  };
}

}  // namespace

int main(int argc, char** argv) {
  const std::string way = argc > 2 ? argv[1] : "";
  const auto threads = static_cast<unsigned>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0);
  if (threads == 0 || (argc > 3 && ::dlsym(RTLD_DEFAULT, argv[3]) == nullptr)) return 2;
  std::function<void(unsigned)> work;
  if (way == "nodewise") work = by_pools(threads);
  if (way == "touch") work = by_touch;
  if (way == "mmap") work = by_mmap;
  if (way == "malloc") work = by_malloc;
  if (!work) return 2;
  for (char byte = 0; ::write(STDOUT_FILENO, &byte, 1) == 1 && ::read(STDIN_FILENO, &byte, 1) == 1;)
    pinned(threads, work);
  return 0;
}
