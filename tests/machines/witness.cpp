// Says where memory of another process is, by asking the kernel itself: no line of nodewise is in here, so
// that its word can be held against the library's.
//
//     witness where PID {ADDRESS BYTES}...    "OFFSET BYTES NODE" for each run of pages; NODE < 0: an errno
//     witness policy PID ADDRESS BYTES        "OFFSET POLICY" for each mapping that begins in the range
//     witness move PID ADDRESS BYTES NODE     moves the pages there; prints how many are there then
//
// ADDRESS is hexadecimal. Exit code 1 where the kernel refuses.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::uintptr_t page_bytes = 4096;

struct Target {
  int pid;
  std::uintptr_t begin;
  std::uintptr_t end;
};

std::vector<void*> pages_of(const Target& target) {
  std::vector<void*> pages;
  for (auto at = target.begin / page_bytes * page_bytes; at < target.end; at += page_bytes)
    pages.push_back(reinterpret_cast<void*>(at));
  return pages;
}

// With `nodes` empty only asks.
bool move_pages(const Target& target, std::vector<int> nodes, std::vector<int>& status) {
  auto pages = pages_of(target);
  status.assign(pages.size(), -1);
  constexpr int move_all = 1 << 2;  // MPOL_MF_MOVE_ALL: pages that others share too
  const long result =
      syscall(SYS_move_pages, target.pid, pages.size(), pages.data(), nodes.empty() ? nullptr : nodes.data(),
              status.data(), nodes.empty() ? 0 : move_all);
  if (result < 0) std::fprintf(stderr, "witness: move_pages: %s\n", std::strerror(errno));
  return result >= 0;
}

int where(const Target& target) {
  std::vector<int> status;
  if (!move_pages(target, {}, status)) return 1;
  for (std::size_t i = 0; i < status.size();) {
    std::size_t j = i;
    while (j < status.size() && status[j] == status[i]) ++j;
    std::printf("%zu %zu %d\n", i * page_bytes, (j - i) * page_bytes, status[i]);
    i = j;
  }
  return 0;
}

int policy(const Target& target) {
  std::ifstream maps("/proc/" + std::to_string(target.pid) + "/numa_maps");
  if (!maps) return 1;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uintptr_t address = 0;
    std::string name;
    words >> std::hex >> address >> name;
    if (address >= target.begin && address < target.end)
      std::printf("%zu %s\n", static_cast<std::size_t>(address - target.begin), name.c_str());
  }
  return 0;
}

int move(const Target& target, int node) {
  std::vector<int> status;
  if (!move_pages(target, std::vector<int>(pages_of(target).size(), node), status)) return 1;
  std::size_t there = 0;
  for (const int now : status) there += now == node;
  std::printf("%zu\n", there);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const auto target_at = [argv](int word) {
    const auto begin = static_cast<std::uintptr_t>(std::strtoull(argv[word], nullptr, 16));
    return Target{std::atoi(argv[2]), begin, begin + std::strtoull(argv[word + 1], nullptr, 10)};
  };
  const Target target = target_at(3);
  const std::string verb = argv[1];
  if (verb == "where") {
    int refused = 0;
    for (int word = 3; word + 1 < argc; word += 2) refused |= where(target_at(word));
    return refused;
  }
  if (verb == "policy") return policy(target);
  if (verb == "move" && argc == 6) return move(target, std::atoi(argv[5]));
  return 2;
}
