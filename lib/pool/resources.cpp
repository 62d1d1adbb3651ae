#include <nodewise/resources.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace nodewise {

void* LimitedResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  std::uint64_t before = live_bytes_;
  do {
    if (bytes > limit_bytes_ - before)
      throw OutOfMemory(base::text("LimitedResource: ", bytes, " bytes are asked for, and of ", limit_bytes_,
                                   " bytes ", limit_bytes_ - before,
                                   " are left; give blocks back, or raise the limit"));
  } while (!live_bytes_.compare_exchange_weak(before, before + bytes));
  try {
    void* const block = upstream_->allocate(bytes, alignment);
    std::uint64_t peak = peak_bytes_;
    while (peak < before + bytes && !peak_bytes_.compare_exchange_weak(peak, before + bytes)) {
    }
    return block;
  } catch (...) {
    live_bytes_ -= bytes;
    throw;
  }
}

void LimitedResource::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  upstream_->deallocate(block, bytes, alignment);
  live_bytes_ -= bytes;
}

SpillResource::SpillResource(std::vector<std::pmr::memory_resource*> order)
    : order_(std::move(order)), live_bytes_(order_.size()) {
  if (order_.empty()) throw InvalidArgument("SpillResource: an order of no resources; name at least one");
}

void* SpillResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  std::string why;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    void* block = nullptr;
    try {
      block = order_[i]->allocate(bytes, alignment);
    } catch (const std::bad_alloc& error) {
      why += base::text(i > 0 ? "; then " : "", error.what());
      continue;
    }
    try {
      keep(block, bytes, i);
    } catch (...) {
      order_[i]->deallocate(block, bytes, alignment);
      throw;
    }
    return block;
  }
  throw OutOfMemory(base::text("SpillResource: none of ", order_.size(), " has ", bytes, " bytes: ", why));
}

void SpillResource::keep(void* block, std::size_t bytes, std::size_t from) {
  const std::lock_guard lock(mutex_);
  if (from > 0) {
    spilled_.emplace(block, from);
    spilled_bytes_ += bytes;
  }
  live_bytes_[from] += bytes;
}

void SpillResource::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  std::size_t from = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto spilled = spilled_.find(block); spilled != spilled_.end()) {
      from = spilled->second;
      spilled_.erase(spilled);
    }
    live_bytes_[from] -= bytes;
  }
  order_[from]->deallocate(block, bytes, alignment);
}

std::vector<std::uint64_t> SpillResource::live_bytes() const {
  const std::lock_guard lock(mutex_);
  return live_bytes_;
}

std::uint64_t SpillResource::spilled_bytes() const {
  const std::lock_guard lock(mutex_);
  return spilled_bytes_;
}

namespace {

// For one element more, before a call that must not be in vain. To reserve one each time would copy all
// elements each time.
template <class T>
void make_room(std::vector<T>& elements) {
  constexpr std::size_t least = 16;
  if (elements.size() == elements.capacity()) elements.reserve(std::max(least, 2 * elements.size()));
}

}  // namespace

ArenaResource::~ArenaResource() {
  release();
}

void* ArenaResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  bytes = std::max<std::size_t>(bytes, 1);  // two blocks must not have the same address
  if (alignment >= chunk_bytes_ || bytes > chunk_bytes_ - alignment) return allocate_large(bytes, alignment);
  if (current_ < chunks_.size()) {
    const auto begin = reinterpret_cast<std::uintptr_t>(chunks_[current_]);
    const std::size_t at = base::round_up(begin + used_, alignment) - begin;
    if (bytes <= chunk_bytes_ && at <= chunk_bytes_ - bytes) return cut(current_, at, bytes);
  }
  const std::size_t next = chunks_.empty() ? 0 : current_ + 1;
  if (next == chunks_.size()) {
    make_room(chunks_);
    chunks_.push_back(static_cast<std::byte*>(upstream_->allocate(chunk_bytes_, chunk_alignment)));
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(chunks_[next]);
  used_before_ += std::exchange(used_, 0);
  return cut(next, base::round_up(begin, alignment) - begin, bytes);
}

void* ArenaResource::cut(std::size_t chunk, std::size_t at, std::size_t bytes) noexcept {
  current_ = chunk;
  used_ = at + bytes;
  return chunks_[chunk] + at;
}

void* ArenaResource::allocate_large(std::size_t bytes, std::size_t alignment) {
  make_room(large_);
  void* const block = upstream_->allocate(bytes, alignment);
  large_.push_back({block, bytes, alignment});
  used_before_ += bytes;
  return block;
}

void ArenaResource::reset() noexcept {
  for (const Large& block : large_) upstream_->deallocate(block.at, block.bytes, block.alignment);
  large_.clear();
  current_ = 0;
  used_ = 0;
  used_before_ = 0;
}

void ArenaResource::release() noexcept {
  reset();
  for (std::byte* const chunk : chunks_) upstream_->deallocate(chunk, chunk_bytes_, chunk_alignment);
  chunks_.clear();
}

std::uint64_t ArenaResource::used_bytes() const noexcept {
  return used_before_ + used_;
}

std::uint64_t ArenaResource::chunk_bytes() const noexcept {
  return chunks_.size() * chunk_bytes_;
}

namespace {

constexpr std::size_t guard_bytes = 64;
constexpr int guard = 0xfd, fresh = 0xcd, gone = 0xdd;

// The parts of a block from the upstream: a guard, which preserves the alignment; the block; and another
// guard.
struct Guarded {
  Guarded(std::size_t block_bytes, std::size_t block_alignment)
      : before(std::max(guard_bytes, block_alignment)),
        bytes(before + block_bytes + guard_bytes),
        alignment(std::max(block_alignment, alignof(std::max_align_t))) {
    if (bytes < block_bytes)
      throw OutOfMemory(
          base::text("CheckingResource: ", block_bytes, " bytes and their guards exceed the address space"));
  }
  std::size_t before, bytes, alignment;
};

bool all_are(const std::byte* begin, std::size_t bytes, int value) {
  return std::all_of(begin, begin + bytes, [value](std::byte byte) { return byte == std::byte(value); });
}

}  // namespace

void* CheckingResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  const Guarded guarded(bytes, alignment);
  auto* const whole = static_cast<std::byte*>(upstream_->allocate(guarded.bytes, guarded.alignment));
  std::byte* const block = whole + guarded.before;
  try {
    const std::lock_guard lock(mutex_);
    live_.emplace(block, Block{bytes, alignment, ++blocks_});
  } catch (...) {
    upstream_->deallocate(whole, guarded.bytes, guarded.alignment);
    throw;
  }
  std::memset(whole, guard, guarded.before);
  std::memset(block, fresh, bytes);
  std::memset(block + bytes, guard, guard_bytes);
  return block;
}

void CheckingResource::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
  const Guarded guarded(bytes, alignment);
  auto* const begin = static_cast<std::byte*>(block);
  {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(block);
    if (found == live_.end()) {
      faults_.push_back(base::text(
          "a block of ", bytes, " bytes was given back that is not out: given back twice, or not of here"));
      return;
    }
    const Block known = found->second;
    if (known.bytes != bytes || known.alignment != alignment) {
      faults_.push_back(base::text("block ", known.number, ", of ", known.bytes, " bytes, aligned to ",
                                   known.alignment, ", was given back as one of ", bytes, ", aligned to ",
                                   alignment));
      return;
    }
    if (!all_are(begin - guarded.before, guarded.before, guard))
      faults_.push_back(
          base::text("something was written before block ", known.number, ", of ", bytes, " bytes"));
    if (!all_are(begin + bytes, guard_bytes, guard))
      faults_.push_back(
          base::text("something was written behind block ", known.number, ", of ", bytes, " bytes"));
    live_.erase(found);
  }
  std::memset(begin, gone, bytes);
  upstream_->deallocate(begin - guarded.before, guarded.bytes, guarded.alignment);
}

std::vector<std::string> CheckingResource::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::uint64_t CheckingResource::live_blocks() const {
  const std::lock_guard lock(mutex_);
  return live_.size();
}

std::uint64_t CheckingResource::live_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [at, block] : live_) bytes += block.bytes;
  return bytes;
}

}  // namespace nodewise
