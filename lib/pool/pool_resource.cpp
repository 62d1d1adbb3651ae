#include <nodewise/pool_resource.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "pool/size_classes.hpp"
#include "pool/spin_lock.hpp"
#include "team/pinning.hpp"

namespace nodewise {
namespace {

constexpr std::size_t least_chunk_bytes = std::size_t{64} << 10;
constexpr std::size_t most_alignment = 4096;  // of blocks; larger alignments go to the upstream
// The bytes of blocks of one class that the threads of one stripe keep.
constexpr std::size_t kept_bytes = std::size_t{256} << 10;
constexpr std::size_t largest_class_bytes = SizeClasses::bytes(SizeClasses::count - 1);
constexpr unsigned most_stripes = 128;

// Blocks of small classes are cut in runs of whole pages, without a gap: the size of a class is 4 to 7 times
// a power of two, so that many pages hold a whole number of blocks. Each block begins at a multiple of its
// alignment.
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t run_bytes(std::size_t size_class) noexcept {
  const std::size_t bytes = SizeClasses::bytes(size_class);
  if (bytes % page_bytes == 0) return bytes;
  std::size_t pages = bytes;
  while (pages % 2 == 0 && pages > 7) pages /= 2;
  return pages * page_bytes;
}

// What is cut beyond the blocks that are asked for: at most the rest of a run of each small class.
constexpr std::size_t rest_of_runs = [] {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < SizeClasses::count; ++i) bytes += run_bytes(i) - SizeClasses::bytes(i);
  return bytes;
}();
static_assert(rest_of_runs < (std::size_t{1} << 20));

// A free block; its first bytes hold the address of the next one.
struct Free {
  Free* next;
};

struct List {
  Free* first = nullptr;
  std::size_t count = 0;

  void push(void* block) noexcept {
    first = new (block) Free{first};
    ++count;
  }
  void* pop() noexcept {
    Free* const block = first;
    first = block->next;
    --count;
    return block;
  }
  // Takes the first `some` blocks.
  List split(std::size_t some) noexcept {
    List taken;
    for (; some > 0; --some) taken.push(pop());
    return taken;
  }
};

// Threads are assigned to stripes in turn, in the order of their first call of any pool.
unsigned number_of_thread() noexcept {
  static std::atomic<unsigned> threads{0};
  thread_local const unsigned number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// The number of stripes, a power of two: about two for each CPU that the process may use when the pool is
// made.
unsigned stripes_for(const os::Result<IndexSet>& cpus) noexcept {
  return std::min(std::bit_ceil(2 * std::max(cpus.value.size(), 1U)), most_stripes);
}

// The most blocks of a class that the threads of one stripe keep for themselves; 0 for large classes.
std::size_t most_kept(std::size_t size_class) noexcept {
  return kept_bytes / SizeClasses::bytes(size_class);
}

// The number of blocks that move to or from the shared lists together.
std::size_t batch_of(std::size_t size_class) noexcept {
  return std::max<std::size_t>(most_kept(size_class) / 2, 1);
}

struct Chunk {
  std::byte* begin;
  std::size_t bytes;
};

}  // namespace

struct PoolResource::State {
  using Lists = std::array<List, SizeClasses::count>;

  // The lock is mostly taken by the thread that had it before.
  struct alignas(128) Stripe {  // no two stripes share a cache line, nor a pair of cache lines
    SpinLock lock;
    // Both may wrap below zero, if blocks that were allocated from other stripes are freed here.
    std::uint64_t live_blocks = 0, live_bytes = 0;
    std::uint64_t allocations = 0;
    Lists lists;

    void begin_block(std::size_t bytes) noexcept {
      ++live_blocks;
      live_bytes += bytes;
      ++allocations;
    }
    void end_block(std::size_t bytes) noexcept {
      --live_blocks;
      live_bytes -= bytes;
    }
  };

  State(std::pmr::memory_resource* below, const PoolOptions& options)
      : upstream(below),
        chunk_bytes(options.chunk_bytes),
        most_block_bytes(std::min(std::bit_floor(chunk_bytes / 2), largest_class_bytes)),
        classes(SizeClasses::of(most_block_bytes) + 1) {}

  Stripe& stripe() noexcept { return stripes[number_of_thread() & (stripe_count - 1)]; }
  // Returns nullopt for blocks that come directly from the upstream.
  std::optional<std::size_t> class_of(std::size_t bytes, std::size_t alignment) const noexcept {
    if (bytes > most_block_bytes || alignment > std::min(most_alignment, most_block_bytes))
      return std::nullopt;
    return SizeClasses::of(bytes, alignment);
  }

  void* ask_upstream(std::size_t bytes, std::size_t alignment);
  void* take_large(std::size_t bytes, std::size_t alignment);
  void give_back_large(void* block, std::size_t bytes, std::size_t alignment);
  void add_chunk(std::size_t bytes);
  void add_some_chunk(std::size_t block_bytes);
  bool begin_chunk() noexcept;
  void* carve(std::size_t size_class) noexcept;
  bool carve_run(std::size_t size_class, List& blocks) noexcept;
  bool may_cut(std::size_t bytes) const noexcept;
  std::size_t largest_room() const noexcept;
  List take(std::size_t size_class, bool promised_too) noexcept;
  List find(std::size_t size_class);
  void keep(std::size_t size_class, List blocks) noexcept;
  void gather(std::size_t size_class) noexcept;
  std::vector<Chunk> forget_chunks() noexcept;
  void give_back(const std::vector<Chunk>& gone) const noexcept;

  std::pmr::memory_resource* const upstream;
  const std::size_t chunk_bytes;
  const std::size_t most_block_bytes;
  const std::size_t classes;
  const unsigned stripe_count = stripes_for(caller_mask());
  std::vector<Stripe> stripes{stripe_count};
  std::atomic<std::uint64_t> upstream_allocations{0};

  struct Large {
    std::size_t bytes, alignment;
  };
  std::mutex large_mutex;
  std::map<void*, Large> large;  // blocks in use that come directly from the upstream

  std::mutex growing;  // locked before the next mutex

  std::mutex mutex;  // guards everything below
  Lists lists;
  std::vector<Chunk> chunks;
  std::size_t begun = 0;  // the number of chunks that were begun; the last one of them is being cut
  std::byte *cursor = nullptr, *end = nullptr;  // the rest of that chunk
  std::size_t promised =
      0;  // by reserve(), and not asked for yet: bytes that no thread may cut ahead of its need
};

void* PoolResource::State::ask_upstream(std::size_t bytes, std::size_t alignment) {
  void* const block = upstream->allocate(bytes, alignment);
  ++upstream_allocations;
  return block;
}

void* PoolResource::State::take_large(std::size_t bytes, std::size_t alignment) {
  void* const block = ask_upstream(bytes, alignment);
  try {
    const std::lock_guard lock(large_mutex);
    large.insert_or_assign(block, Large{bytes, alignment});
  } catch (...) {
    upstream->deallocate(block, bytes, alignment);
    throw;
  }
  return block;
}

// Forgotten first: once it is given back, another thread may get a block at its address.
void PoolResource::State::give_back_large(void* block, std::size_t bytes, std::size_t alignment) {
  {
    const std::lock_guard lock(large_mutex);
    large.erase(block);
  }
  upstream->deallocate(block, bytes, alignment);
}

// Does not hold the lock that other threads wait for, because the upstream may take long. Precondition, which
// cannot be checked here: `growing` is held.
void PoolResource::State::add_chunk(std::size_t bytes) {
  auto* const begin = static_cast<std::byte*>(ask_upstream(bytes, most_alignment));
  try {
    const std::lock_guard lock(mutex);
    chunks.push_back({begin, bytes});
  } catch (...) {
    upstream->deallocate(begin, bytes, most_alignment);
    throw;
  }
}

// Adds the largest chunk that the upstream gives, up to the usual size, that can hold a block of
// `block_bytes`.
void PoolResource::State::add_some_chunk(std::size_t block_bytes) {
  const std::size_t least = std::max(std::bit_ceil(block_bytes), least_chunk_bytes);
  for (std::size_t bytes = chunk_bytes;; bytes = std::max(bytes / 2, least)) {
    try {
      return add_chunk(bytes);
    } catch (const std::bad_alloc&) {
      if (bytes <= least) throw;
    }
  }
}

// Begins the next chunk, if there is one. The rest of the last chunk becomes blocks, as large as possible.
bool PoolResource::State::begin_chunk() noexcept {
  if (begun == chunks.size()) return false;
  for (std::size_t size_class = classes; size_class-- > 0;)
    while (void* const block = carve(size_class)) lists[size_class].push(block);
  cursor = chunks[begun].begin;
  end = cursor + chunks[begun].bytes;
  ++begun;
  return true;
}

// Cuts a new block. Returns null if the rest of the chunk is too short.
void* PoolResource::State::carve(std::size_t size_class) noexcept {
  const std::size_t bytes = SizeClasses::bytes(size_class);
  const auto alignment = std::min(SizeClasses::alignment(bytes), most_alignment);
  const auto at = base::round_up(reinterpret_cast<std::uintptr_t>(cursor), alignment);
  if (cursor == nullptr || reinterpret_cast<std::uintptr_t>(end) < at + bytes) return nullptr;
  cursor = reinterpret_cast<std::byte*>(at + bytes);
  return reinterpret_cast<void*>(at);
}

// Cuts the blocks of one run. Returns false if there are none: the rest of the chunk is too short.
bool PoolResource::State::carve_run(std::size_t size_class, List& blocks) noexcept {
  const std::size_t bytes = SizeClasses::bytes(size_class);
  const std::size_t before = blocks.count;
  for (std::size_t cut = 0; cut + bytes <= run_bytes(size_class); cut += bytes) {
    void* const block = carve(size_class);
    if (block == nullptr) break;
    blocks.push(block);
  }
  return blocks.count > before;
}

// The most bytes that lie side by side and were never cut.
std::size_t PoolResource::State::largest_room() const noexcept {
  auto most = static_cast<std::size_t>(end - cursor);
  for (std::size_t chunk = begun; chunk < chunks.size(); ++chunk) most = std::max(most, chunks[chunk].bytes);
  return most;
}

// Whether so many bytes can be cut without touching what reserve() promised to others.
bool PoolResource::State::may_cut(std::size_t bytes) const noexcept {
  return promised == 0 || largest_room() >= promised + bytes;
}

// Takes some blocks, at most a batch, or a run if that is more. Takes none if the upstream must be called, or
// if that touched what was promised, unless `promised_too`: then it is a single run.
List PoolResource::State::take(std::size_t size_class, bool promised_too) noexcept {
  const std::size_t most = batch_of(size_class);
  const std::size_t bytes = SizeClasses::bytes(size_class);
  const std::lock_guard lock(mutex);
  List taken;
  if (lists[size_class].count > 0) {
    taken = lists[size_class].split(std::min(most, lists[size_class].count));
  } else if (promised_too || may_cut(run_bytes(size_class))) {
    while (!carve_run(size_class, taken) && begin_chunk()) {
    }
    while (taken.count > 0 && taken.count < most && may_cut(run_bytes(size_class)))
      if (!carve_run(size_class, taken)) break;
  }
  if (taken.count > 0) promised -= std::min(promised, bytes);
  return taken;
}

// Takes at least one block. Blocks that other threads keep come before what was promised, and before a call
// of the upstream. Only one thread at a time calls it; threads that waited for it then try again.
List PoolResource::State::find(std::size_t size_class) {
  List some = take(size_class, false);
  if (some.count > 0) return some;
  const std::lock_guard lock(growing);
  some = take(size_class, false);
  if (some.count > 0) return some;
  gather(size_class);
  some = take(size_class, true);
  while (some.count == 0) {
    try {
      add_some_chunk(SizeClasses::bytes(size_class));
    } catch (const std::bad_alloc&) {
      gather(size_class);
      some = take(size_class, true);
      if (some.count == 0) throw;
      break;
    }
    some = take(size_class, true);
  }
  return some;
}

void PoolResource::State::keep(std::size_t size_class, List blocks) noexcept {
  const std::lock_guard lock(mutex);
  while (blocks.count > 0) lists[size_class].push(blocks.pop());
}

// Moves all blocks of one class that stripes keep to the shared list.
void PoolResource::State::gather(std::size_t size_class) noexcept {
  for (Stripe& stripe : stripes) {
    List kept;
    {
      const std::lock_guard lock(stripe.lock);
      kept = std::exchange(stripe.lists[size_class], {});
    }
    keep(size_class, kept);
  }
}

std::vector<Chunk> PoolResource::State::forget_chunks() noexcept {
  lists = {};
  begun = 0;
  cursor = end = nullptr;
  promised = 0;
  return std::exchange(chunks, {});
}

void PoolResource::State::give_back(const std::vector<Chunk>& gone) const noexcept {
  for (const Chunk& chunk : gone) upstream->deallocate(chunk.begin, chunk.bytes, most_alignment);
}

PoolResource::PoolResource(std::pmr::memory_resource* upstream, const PoolOptions& options) {
  if (options.chunk_bytes < least_chunk_bytes)
    throw InvalidArgument(base::text("PoolResource: chunks of ", options.chunk_bytes, " bytes; at least ",
                                     least_chunk_bytes, " are needed"));
  state_ = std::make_unique<State>(upstream, options);
}

PoolResource::~PoolResource() {
  state_->give_back(state_->chunks);
  for (const auto& [block, size] : state_->large)
    state_->upstream->deallocate(block, size.bytes, size.alignment);
}

std::pmr::memory_resource* PoolResource::upstream() const noexcept {
  return state_->upstream;
}

// A block counts as in use from before it is searched until after it was stored, because release() must never
// see a count of 0 while a thread has a block.
void* PoolResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  State::Stripe& stripe = state_->stripe();
  const auto size_class = state_->class_of(bytes, alignment);
  const std::size_t counted = size_class ? SizeClasses::bytes(*size_class) : bytes;
  {
    const std::lock_guard lock(stripe.lock);
    stripe.begin_block(counted);
    if (size_class && stripe.lists[*size_class].count > 0) return stripe.lists[*size_class].pop();
  }
  try {
    if (!size_class) return state_->take_large(bytes, alignment);
    List some = state_->find(*size_class);
    void* const block = some.pop();
    const std::lock_guard lock(stripe.lock);
    while (some.count > 0) stripe.lists[*size_class].push(some.pop());
    return block;
  } catch (...) {
    const std::lock_guard lock(stripe.lock);
    stripe.end_block(counted);
    --stripe.allocations;
    throw;
  }
}

void PoolResource::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  State::Stripe& stripe = state_->stripe();
  const auto size_class = state_->class_of(bytes, alignment);
  if (!size_class) {
    state_->give_back_large(block, bytes, alignment);
    const std::lock_guard lock(stripe.lock);
    return stripe.end_block(bytes);
  }
  List too_many;
  {
    const std::lock_guard lock(stripe.lock);
    List& mine = stripe.lists[*size_class];
    mine.push(block);
    if (mine.count <= most_kept(*size_class)) return stripe.end_block(SizeClasses::bytes(*size_class));
    too_many = mine.split(batch_of(*size_class));
  }
  state_->keep(*size_class, too_many);
  const std::lock_guard lock(stripe.lock);
  stripe.end_block(SizeClasses::bytes(*size_class));
}

// The bytes lie side by side, so that they can be cut into blocks of any sizes.
void PoolResource::reserve(std::size_t bytes) {
  const auto needed = base::checked_add(bytes, rest_of_runs);
  if (!needed)
    throw OutOfMemory(base::text("PoolResource::reserve: ", bytes, " bytes exceed the address space"));
  const std::lock_guard growing(state_->growing);
  std::size_t there = 0;
  {
    const std::lock_guard lock(state_->mutex);
    there = state_->largest_room();
  }
  if (there < *needed) state_->add_chunk(std::max(*needed, state_->chunk_bytes));
  const std::lock_guard lock(state_->mutex);
  state_->promised = std::max(state_->promised, *needed);
}

std::future<void> PoolResource::reserve_async(std::size_t bytes) {
  try {
    return std::async(std::launch::async, [this, bytes] { reserve(bytes); });
  } catch (const std::system_error& error) {
    throw SystemError("PoolResource::reserve_async: no thread can be started", error.code().value());
  }
}

bool PoolResource::release() noexcept {
  for (State::Stripe& stripe : state_->stripes) stripe.lock.lock();
  std::uint64_t live = 0;
  for (const State::Stripe& stripe : state_->stripes) live += stripe.live_blocks;
  std::vector<Chunk> chunks;
  if (live == 0) {
    for (State::Stripe& stripe : state_->stripes) stripe.lists = {};
    const std::lock_guard lock(state_->mutex);
    chunks = state_->forget_chunks();
  }
  for (State::Stripe& stripe : state_->stripes) stripe.lock.unlock();
  state_->give_back(chunks);
  return live == 0;
}

PoolCounts PoolResource::counts() const {
  PoolCounts counts;
  for (State::Stripe& stripe : state_->stripes) {
    const std::lock_guard lock(stripe.lock);
    counts.live_blocks += stripe.live_blocks;
    counts.live_bytes += stripe.live_bytes;
    counts.allocations += stripe.allocations;
  }
  counts.upstream_allocations = state_->upstream_allocations;
  const std::lock_guard lock(state_->mutex);
  for (const Chunk& chunk : state_->chunks) counts.chunk_bytes += chunk.bytes;
  return counts;
}

}  // namespace nodewise
