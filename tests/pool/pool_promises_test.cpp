// Goal: what was reserved needs no call to the upstream, whatever blocks are then taken, in whatever order; a
// pool that is gone has left nothing with its upstream; an arena does not copy its own lists again and again;
// and a thread that waits for a lock of a pool lets others run. Method: an upstream that counts, blocks of
// sizes drawn at random, and a global operator new that counts.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory_resource>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include <nodewise/pool_resource.hpp>
#include <nodewise/resources.hpp>

#include "pool/size_classes.hpp"
#include "pool/spin_lock.hpp"

using namespace nodewise;
using namespace std::chrono_literals;

namespace {

std::atomic<std::size_t> newly_bytes{0};

constexpr std::size_t KiB = 1024, MiB = 1024 * KiB;

class Counting : public std::pmr::memory_resource {
 public:
  std::atomic<unsigned> asked{0};

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++asked;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

}  // namespace

void* operator new(std::size_t bytes) {
  newly_bytes += bytes;
  if (void* const block = std::malloc(bytes)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

TEST_CASE("what is reserved is enough for blocks of any sizes, in any order, from any threads") {
  for (const std::size_t chunk : {64 * KiB, MiB, 16 * MiB})
    for (const std::size_t reserved : {64 * KiB, MiB, 5 * MiB})
      for (unsigned seed = 0; seed < 40; ++seed) {
        CAPTURE(chunk);
        CAPTURE(reserved);
        CAPTURE(seed);
        Counting upstream;
        PoolResource pool(&upstream, {.chunk_bytes = chunk});
        std::mt19937 random(seed);
        if (seed % 4 == 1) static_cast<void>(pool.allocate(100));  // what is there is not in one piece
        pool.reserve(reserved);
        if (seed % 4 == 2) pool.reserve(reserved / 2);
        const unsigned before = upstream.asked;
        const unsigned widest = 3 + seed % 13;  // bits of the largest sizes
        const unsigned threads = seed % 3 == 0 ? 4 : 1;
        std::size_t left = reserved;
        while (true) {
          std::vector<std::pair<std::size_t, std::size_t>> blocks;
          for (unsigned i = 0; i < 16 * threads; ++i) {
            const std::size_t alignment = std::size_t{1} << random() % 13;
            const std::size_t bytes =
                std::min<std::size_t>((random() % 64 + 64) << random() % widest, std::bit_floor(chunk / 2));
            const std::size_t rounded = SizeClasses::bytes(SizeClasses::of(bytes, alignment));
            if (rounded > left || rounded > std::bit_floor(chunk / 2)) continue;
            left -= rounded;
            blocks.emplace_back(bytes, alignment);
          }
          if (blocks.empty()) break;
          std::vector<std::thread> takers;
          for (unsigned t = 1; t < threads; ++t)
            takers.emplace_back([&, t] {
              for (std::size_t i = t; i < blocks.size(); i += threads)
                static_cast<void>(pool.allocate(blocks[i].first, blocks[i].second));
            });
          for (std::size_t i = 0; i < blocks.size(); i += threads)
            static_cast<void>(pool.allocate(blocks[i].first, blocks[i].second));
          for (auto& taker : takers) taker.join();
        }
        REQUIRE(upstream.asked == before);
      }
}

TEST_CASE("blocks of one page less one, and of a page, in turn: nothing is lost between them") {
  Counting upstream;
  PoolResource pool(&upstream, {.chunk_bytes = MiB});
  pool.reserve(8 * MiB);
  const unsigned before = upstream.asked;
  for (std::size_t left = 8 * MiB; left >= 2560 + 2048; left -= 2560 + 2048) {
    static_cast<void>(pool.allocate(2560, 8));
    static_cast<void>(pool.allocate(2048, 8));
  }
  CHECK(upstream.asked == before);
}

TEST_CASE("a pool that is gone has left nothing with its upstream, large blocks included") {
  CheckingResource upstream(std::pmr::new_delete_resource());
  {
    PoolResource pool(&upstream, {.chunk_bytes = 64 * KiB});
    static_cast<void>(pool.allocate(100, 8));
    static_cast<void>(pool.allocate(MiB, 8));
    static_cast<void>(pool.allocate(64, 8192));
    pool.deallocate(pool.allocate(2 * MiB, 8), 2 * MiB, 8);
  }
  CHECK(upstream.live_blocks() == 0);
  CHECK(upstream.live_bytes() == 0);
}

TEST_CASE("an arena's own lists grow with its blocks, not with their square") {
  constexpr std::size_t blocks = 4000;
  for (const std::size_t bytes : {200U, 300U}) {  // of chunks of their own; larger than a chunk
    std::pmr::monotonic_buffer_resource upstream(8 * MiB);
    static_cast<void>(upstream.allocate(1));
    ArenaResource arena(&upstream, 256);
    const std::size_t before = newly_bytes;
    for (std::size_t i = 0; i < blocks; ++i) static_cast<void>(arena.allocate(bytes, 16));
    CHECK(newly_bytes - before < blocks * 100);
  }
}

TEST_CASE("a thread that waits for a lock sleeps, so that a holder of lower priority runs") {
  SpinLock lock;
  lock.lock();
  long slept = 0;
  std::thread waits([&] {
    const auto switches = [] {
      rusage usage{};
      ::getrusage(RUSAGE_THREAD, &usage);
      return usage.ru_nvcsw;  // yielding is not counted here
    };
    const long before = switches();
    lock.lock();
    slept = switches() - before;
    lock.unlock();
  });
  std::this_thread::sleep_for(100ms);
  lock.unlock();
  waits.join();
  CHECK(slept > 0);
}
