// Makes a known number of accesses from each node to a page of each node, and some that lie on two pages.
// Prints what the counter should find: "LABEL CPU_NODE MEMORY_NODE LOADS LOAD_BYTES STORES STORE_BYTES" a
// line. Where the kernel says that a page is not where it was to be, the exit code is 1.
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include "../../tools/count/count_marks.hpp"

namespace {

using nodewise::count::Mark;
using nodewise::count::tell;

constexpr std::size_t page_bytes = 4096;
constexpr unsigned max_nodes = 64;
constexpr std::uint64_t copied = 777;  // by one rep movsb

// One CPU of each node.
std::map<unsigned, unsigned> cpu_of_node() {
  std::map<unsigned, unsigned> cpus;
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    unsigned node = 0;
    if (::sched_setaffinity(0, sizeof one, &one) == 0 && ::getcpu(nullptr, &node) == 0) cpus[node] = cpu;
  }
  return cpus;
}

bool run_on(unsigned cpu, unsigned node) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  unsigned here = max_nodes;
  return ::sched_setaffinity(0, sizeof one, &one) == 0 && ::getcpu(nullptr, &here) == 0 && here == node;
}

std::byte* map(std::size_t bytes) {
  void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : static_cast<std::byte*>(pages);
}

bool put_on(unsigned node, void* page) {
  constexpr int bind = 2;
  const unsigned long mask[2] = {1UL << node, 0};
  if (::syscall(SYS_mbind, page, page_bytes, bind, mask, max_nodes + 1, 0) != 0) return false;
  std::memset(page, 1, page_bytes);
  int status = -1;
  return ::syscall(SYS_move_pages, 0, 1, &page, nullptr, &status, 0) == 0 && status == static_cast<int>(node);
}

void mark(const std::byte* first, std::size_t bytes, unsigned label) {
  alignas(page_bytes) static const std::byte numbers[page_bytes] = {};
  tell<Mark::data_label>(numbers + label);
  tell<Mark::data_first>(first);
  tell<Mark::data_last>(first + bytes - 1);
}

void print(unsigned label, unsigned cpu_node, unsigned memory_node,
           const std::vector<std::uint64_t>& counts) {
  std::printf("%u %u %u", label, cpu_node, memory_node);
  for (const std::uint64_t count : counts) std::printf(" %" PRIu64, count);
  std::printf("\n");
}

// `times` loads of 8 bytes that may lie askew, as many stores of 2 bytes, one atomic addition of 8 bytes, and
// one copy within the page.
void access(std::byte* page, std::uint64_t times) {
  std::byte* from = page + page_bytes / 2;
  std::byte* to = page;
  auto copies = copied;
  auto left = times;
  asm volatile(
      "1:\tmov 61(%[page]), %%rax\n\t"
      "mov %%ax, 128(%[page])\n\t"
      "dec %[left]\n\t"
      "jnz 1b\n\t"
      "lock xadd %%rax, 256(%[page])\n\t"
      "rep movsb"
      : [left] "+r"(left), "+S"(from), "+D"(to), "+c"(copies)
      : [page] "r"(page)
      : "rax", "memory", "cc");
}

bool access_from(unsigned cpu_node, unsigned cpu, unsigned memory_node) {
  std::byte* page = map(page_bytes);
  if (page == nullptr || !put_on(memory_node, page) || !run_on(cpu, cpu_node)) return false;
  const std::uint64_t times = 1000 * (cpu_node + 1) + memory_node + 1;
  mark(page, page_bytes, 0);
  access(page, times);
  tell<Mark::data_done>(page);
  access(page, times);  // after the dataset was done: counts for the program alone
  ::munmap(page, page_bytes);
  // An atomic read-modify-write is one store.
  print(0, cpu_node, memory_node,
        {times + copied, 8 * times + copied, times + 1 + copied, 2 * times + 8 + copied});
  return true;
}

// A hundred loads whose first bytes are on the one node and whose last are on the other.
bool access_astride(unsigned cpu, unsigned first_node, unsigned second_node) {
  std::byte* pages = map(2 * page_bytes);
  if (pages == nullptr || !put_on(first_node, pages) || !put_on(second_node, pages + page_bytes))
    return false;
  if (!run_on(cpu, first_node)) return false;
  std::uint64_t left = 100;
  mark(pages, 2 * page_bytes, 1);
  asm volatile("1:\tmov 4092(%[pages]), %%rax\n\tdec %[left]\n\tjnz 1b"
               : [left] "+r"(left)
               : [pages] "r"(pages)
               : "rax", "memory", "cc");
  tell<Mark::data_done>(pages);
  print(1, first_node, first_node, {100, 800, 0, 0});
  return true;
}

}  // namespace

int main() {
  const auto cpus = cpu_of_node();
  for (const auto& [cpu_node, cpu] : cpus)
    for (const auto& [memory_node, ignored] : cpus)
      if (!access_from(cpu_node, cpu, memory_node)) return 1;
  const auto [first_node, cpu] = *cpus.begin();
  return access_astride(cpu, first_node, cpus.rbegin()->first) ? 0 : 1;
}
