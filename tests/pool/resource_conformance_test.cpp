// Goal: every resource is what std::pmr expects of one: whatever is asked comes aligned, writable and apart
// from all else, from any thread to any thread; containers live on it; what fails changes nothing.
// Method: one suite for all resources, each stacked on one that checks and fails on demand, on a fake machine
// of two nodes.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory_resource>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/node_resource.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

#include "support/machines.hpp"

using namespace nodewise;
using test::World;

namespace {

// Refuses every call while it is told to.
class Failing final : public std::pmr::memory_resource {
 public:
  explicit Failing(std::pmr::memory_resource* upstream) : upstream_(upstream) {}
  void refuse(bool all) { refusing_ = all; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (refusing_) throw std::bad_alloc();
    return upstream_->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    upstream_->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  std::pmr::memory_resource* upstream_;
  std::atomic<bool> refusing_{false};
};

// What each resource under test stands on, and the resource; the checks are read at the end.
struct Below {
  CheckingResource checking{std::pmr::new_delete_resource()};
  Failing failing{&checking};
  ~Below() {
    CHECK(checking.faults() == std::vector<std::string>());
    CHECK(checking.live_blocks() == 0);
  }
};

struct OnNode {
  World world{test::even_machine(2)};
  Team team{Topology::this_machine(), TeamOptions{.workers = 2}};
  NodeResource resource{team, 1};
  struct {
    World& world;
    void refuse(bool all) { world.faulty.refuse(os::Call::map, all ? ENOMEM : 0); }
  } failing{world};
  static constexpr std::size_t most_alignment = 4096;
};
struct Pooled : Below {
  PoolResource resource{&failing, {.chunk_bytes = 1 << 20}};
  static constexpr std::size_t most_alignment = 1 << 16;
};
struct PooledOnNode {
  World world{test::even_machine(2)};
  Team team{Topology::this_machine(), TeamOptions{.workers = 2}};
  NodeResource node{team, 1};
  PoolResource resource{&node, {.chunk_bytes = 1 << 20}};
  static constexpr std::size_t most_alignment = 4096;
};
struct Limited : Below {
  LimitedResource resource{&failing, 1 << 30};
  static constexpr std::size_t most_alignment = 1 << 16;
};
struct Spilling : Below {
  LimitedResource little{&failing, 100000};
  SpillResource resource{{&little, &failing}};
  static constexpr std::size_t most_alignment = 1 << 16;
};
struct Checked : Below {
  CheckingResource resource{&failing};
  static constexpr std::size_t most_alignment = 1 << 16;
};
struct InArena : Below {
  ArenaResource resource{&failing, 1 << 16};
  static constexpr std::size_t most_alignment = 1 << 16;
};

struct Block {
  unsigned char* at;
  std::size_t bytes, alignment;
  unsigned char value;
};

Block take(std::pmr::memory_resource& resource, std::size_t bytes, std::size_t alignment,
           unsigned char value) {
  Block block{static_cast<unsigned char*>(resource.allocate(bytes, alignment)), bytes, alignment, value};
  CHECK(reinterpret_cast<std::uintptr_t>(block.at) % alignment == 0);
  std::memset(block.at, value, bytes);
  return block;
}

bool whole(const Block& block) {
  return std::all_of(block.at, block.at + block.bytes,
                     [&](unsigned char byte) { return byte == block.value; });
}

}  // namespace

#define RESOURCES OnNode, Pooled, PooledOnNode, Limited, Spilling, Checked, InArena

TEST_CASE_TEMPLATE("sizes from nothing to megabytes, every alignment", Stack, RESOURCES) {
  Stack stack;
  std::vector<Block> blocks;
  unsigned char value = 0;
  for (std::size_t alignment = 1; alignment <= Stack::most_alignment; alignment *= 2)
    for (const std::size_t bytes : {0U, 1U, 7U, 64U, 65U, 4096U, 100000U, 300000U})
      blocks.push_back(take(stack.resource, bytes, alignment, ++value));
  for (const Block& block : blocks) CHECK(whole(block));
  std::set<const void*> places;
  for (const Block& block : blocks) places.insert(block.at);
  CHECK(places.size() == blocks.size());
  for (const Block& block : blocks) stack.resource.deallocate(block.at, block.bytes, block.alignment);
}

TEST_CASE_TEMPLATE("containers", Stack, RESOURCES) {
  Stack stack;
  std::pmr::vector<std::pmr::string> strings(&stack.resource);
  std::pmr::map<int, std::pmr::string> map(&stack.resource);
  std::pmr::unordered_map<int, double> hashed(&stack.resource);
  std::pmr::deque<long> deque(&stack.resource);
  std::pmr::list<float> list(&stack.resource);
  for (int i = 0; i < 300; ++i) {
    strings.emplace_back(std::string(static_cast<std::size_t>(i), 'x'));
    map[i % 37] += strings.back();
    hashed[i] = i;
    deque.push_front(i);
    list.push_back(static_cast<float>(i));
    if (i % 3 == 0) map.erase(i % 17), list.pop_front();
  }
  CHECK(strings[299] == std::string(299, 'x').c_str());
  CHECK(hashed.at(123) == 123);
  CHECK(deque.front() == 299);
  const auto moved = std::move(strings);
  CHECK(moved.size() == 300);
  CHECK(moved.get_allocator().resource() == &stack.resource);
}

TEST_CASE_TEMPLATE("equal to itself alone", Stack, RESOURCES) {
  Stack stack;
  CHECK(stack.resource.is_equal(stack.resource));
  CHECK_FALSE(stack.resource.is_equal(*std::pmr::new_delete_resource()));
}

TEST_CASE_TEMPLATE("blocks from many threads, given back by others", Stack, OnNode, Pooled, PooledOnNode,
                   Limited, Spilling, Checked) {
  Stack stack;
  constexpr int threads = 4, rounds = 300;
  std::mutex mutex;
  std::vector<Block> shared;
  std::atomic<int> spoilt{0};
  const auto work = [&](unsigned seed) {
    std::minstd_rand random(seed);
    for (int round = 0; round < rounds; ++round) {
      const std::size_t bytes = std::size_t{1} << (random() % 16),
                        alignment = std::size_t{1} << (random() % 7);
      const Block mine{static_cast<unsigned char*>(stack.resource.allocate(bytes, alignment)), bytes,
                       alignment, static_cast<unsigned char>(random())};
      std::memset(mine.at, mine.value, bytes);
      Block other{};
      {
        const std::lock_guard lock(mutex);
        shared.push_back(mine);
        const std::size_t which = random() % shared.size();
        std::swap(shared[which], shared.back());
        if (shared.size() < 8 && round + 8 < rounds) continue;
        other = shared.back();
        shared.pop_back();
      }
      if (!whole(other)) ++spoilt;
      stack.resource.deallocate(other.at, other.bytes, other.alignment);
    }
  };
  std::vector<std::thread> running;
  for (unsigned thread = 0; thread < threads; ++thread) running.emplace_back(work, thread + 1);
  for (std::thread& thread : running) thread.join();
  for (const Block& block : shared) stack.resource.deallocate(block.at, block.bytes, block.alignment);
  CHECK(spoilt == 0);
}

TEST_CASE_TEMPLATE("an upstream that fails changes nothing", Stack, OnNode, Pooled, Limited, Spilling,
                   Checked, InArena) {
  Stack stack;
  std::vector<Block> blocks;
  int refused = 0;
  for (int i = 1; i < 200; ++i) {
    stack.failing.refuse(i % 5 == 0);
    try {
      blocks.push_back(
          take(stack.resource, static_cast<std::size_t>(i) * 1331, 16, static_cast<unsigned char>(i)));
    } catch (const std::bad_alloc&) {
      ++refused;
    }
  }
  stack.failing.refuse(false);
  for (const Block& block : blocks) CHECK(whole(block));
  blocks.push_back(take(stack.resource, 1000, 16, 1));
  for (const Block& block : blocks) stack.resource.deallocate(block.at, block.bytes, block.alignment);
  CHECK(refused > 0);
}
