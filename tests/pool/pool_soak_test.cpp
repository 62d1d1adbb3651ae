// Goal: whatever threads do with pools, in whatever order, and whatever fails below, no block is given twice
// or written by others, nothing is lost, and the counts add up. Method: a stack of resources between two that
// check; threads that take, fill, verify, exchange and give back at random, while the bottom fails now and
// then. NODEWISE_SOAK_OPERATIONS and NODEWISE_SOAK_SEEDS make it long.
#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

using namespace nodewise;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Refuses some calls in a row, now and then: a pool that is refused a chunk asks for smaller ones.
class Unreliable final : public std::pmr::memory_resource {
 public:
  explicit Unreliable(std::pmr::memory_resource* upstream) : upstream_(upstream) {}
  std::atomic<std::uint64_t> refused{0};

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (++calls_ % 32 < 12) {
      ++refused;
      throw std::bad_alloc();
    }
    return upstream_->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    upstream_->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  std::pmr::memory_resource* upstream_;
  std::atomic<std::uint64_t> calls_{0};
};

// From the bottom up.
struct Stack {
  CheckingResource bottom{std::pmr::new_delete_resource()};
  Unreliable unreliable{&bottom};
  LimitedResource limited{&unreliable, 6 << 20};
  LimitedResource more{&bottom, 3 << 20};
  SpillResource spill{{&limited, &more}};
  PoolResource pool{&spill, {.chunk_bytes = 1 << 20}};
  CheckingResource top{&pool};
};

struct Block {
  unsigned char* at = nullptr;
  std::size_t bytes = 0, alignment = 1;
  unsigned char value = 0;
};

class Churn {
 public:
  Churn(std::uint64_t seed, std::uint64_t operations) : seed_(seed), operations_(operations) {}

  void run() {
    std::mt19937_64 random(seed_);
    for (int block = 0; block < 100; ++block) shared_.push_back(take_surely(random));
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < thread_count; ++thread)
      threads.emplace_back([this, thread] { work(thread); });
    for (std::thread& thread : threads) thread.join();
    for (const Block& block : shared_) give_back(block);
  }

  Stack stack;
  std::atomic<std::uint64_t> taken{0}, refused{0}, spoilt{0}, releases{0};

 private:
  static constexpr unsigned thread_count = 4;

  Block take(std::mt19937_64& random) {
    const std::uint64_t bits = random();
    const unsigned largest = bits % 128 == 0 ? 19 : 12;  // powers of two; few are large
    Block block;
    block.bytes = (bits >> 8) % (std::size_t{2} << (bits >> 40) % largest);
    block.alignment = std::size_t{1} << (bits >> 50) % 13;
    block.value = static_cast<unsigned char>(bits >> 56);
    block.at = static_cast<unsigned char*>(stack.top.allocate(block.bytes, block.alignment));
    if (reinterpret_cast<std::uintptr_t>(block.at) % block.alignment != 0) ++spoilt;
    std::memset(block.at, block.value, block.bytes);
    ++taken;
    return block;
  }

  Block take_surely(std::mt19937_64& random) {
    for (;;) try {
        return take(random);
      } catch (const std::bad_alloc&) {
        ++refused;
      }
  }

  void give_back(const Block& block) {
    for (const std::size_t at : {std::size_t{0}, block.bytes / 2, block.bytes - 1})
      if (block.bytes > 0 && block.at[at] != block.value) ++spoilt;
    stack.top.deallocate(block.at, block.bytes, block.alignment);
  }

  void work(unsigned thread) {
    std::mt19937_64 random(seed_ * thread_count + thread);
    std::vector<Block> mine;
    for (std::uint64_t i = 0; i < operations_ / thread_count; ++i) {
      const bool taking = random() % 1000 < (i / 20000 % 2 == 0 ? 520U : 480U);  // the heap swells and ebbs
      if (taking || mine.empty()) {
        try {
          mine.push_back(take(random));
        } catch (const std::bad_alloc&) {
          ++refused;
          if (stack.pool.release()) ++releases;
        }
        continue;
      }
      std::swap(mine[random() % mine.size()], mine.back());
      exchange(random, mine.back());
      give_back(mine.back());
      mine.pop_back();
    }
    const std::lock_guard lock(mutex_);
    shared_.insert(shared_.end(), mine.begin(), mine.end());
  }

  // Half of the blocks go back by another thread than the one that took them.
  void exchange(std::mt19937_64& random, Block& block) {
    if (random() % 2 == 0) return;
    const std::lock_guard lock(mutex_);
    std::swap(shared_[random() % shared_.size()], block);
  }

  const std::uint64_t seed_, operations_;
  std::mutex mutex_;
  std::vector<Block> shared_;
};

}  // namespace

TEST_CASE("random operations of many threads upon an upstream that fails") {
  const std::uint64_t operations = number_from("NODEWISE_SOAK_OPERATIONS", 1000000);
  const std::uint64_t seeds = number_from("NODEWISE_SOAK_SEEDS", 2);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Churn churn(seed, operations);
    churn.run();
    Stack& stack = churn.stack;
    CHECK(churn.spoilt == 0);
    CHECK(stack.top.faults() == std::vector<std::string>());
    CHECK(stack.bottom.faults() == std::vector<std::string>());
    CHECK(churn.taken > operations / 4);
    CHECK(churn.refused > 0);
    CHECK(stack.unreliable.refused > 0);
    CHECK(churn.releases == 0);  // there always was a block out

    const PoolCounts counts = stack.pool.counts();
    CHECK(counts.allocations == churn.taken);
    CHECK(counts.live_blocks == 0);
    CHECK(counts.live_bytes == 0);
    CHECK(stack.top.live_blocks() == 0);
    CHECK(stack.limited.live_bytes() + stack.more.live_bytes() == counts.chunk_bytes);
    CHECK(stack.bottom.live_bytes() == counts.chunk_bytes);
    CHECK(stack.spill.live_bytes()[0] == stack.limited.live_bytes());
    CHECK(stack.spill.spilled_bytes() >= stack.more.live_bytes());
    CHECK(stack.pool.release());
    CHECK(stack.bottom.live_blocks() == 0);
  }
}

TEST_CASE("release gives back only what nobody has") {
  CheckingResource bottom(std::pmr::new_delete_resource());
  PoolResource pool(&bottom, {.chunk_bytes = std::size_t{64} << 10});
  CheckingResource top(&pool);
  const std::uint64_t rounds = number_from("NODEWISE_SOAK_OPERATIONS", 1000000) / 1000;
  std::atomic<std::uint64_t> releases{0};
  std::atomic<int> working{16};
  std::barrier everybody(16, [&]() noexcept { releases += pool.release() ? 1 : 0; });
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 16; ++thread)  // several to a stripe
    threads.emplace_back([&, thread] {
      std::minstd_rand random(thread + 1);
      for (std::uint64_t round = 0; round < rounds; ++round) {
        std::pmr::vector<char> some(1 + random() % 5000, 'x', &top);
        if (round % 20 == 19) {  // now nobody has any, for a moment
          some = {};
          some.shrink_to_fit();
          everybody.arrive_and_wait();
        }
      }
      --working;
    });
  for (; working > 0; std::this_thread::yield())
    if (pool.release()) ++releases;
  for (std::thread& thread : threads) thread.join();
  CHECK(top.faults() == std::vector<std::string>());
  CHECK(bottom.faults() == std::vector<std::string>());
  CHECK(pool.counts().allocations == 16 * rounds);
  CHECK(pool.counts().live_blocks == 0);
  CHECK(releases > 0);
  CHECK(pool.release());
  CHECK(bottom.live_blocks() == 0);
}
