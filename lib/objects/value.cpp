// A large value has two copies, and a sequence number that says which copy is valid. A writer (there is one
// at a time) fills the other copy and then increases the number. So if it dies, the old value is complete. A
// reader may use what it copied if the number did not change during the copy, because writers do not touch
// the valid copy before the number changes.
#include "objects/value.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/checked.hpp"
#include "base/mark.hpp"
#include "objects/directory.hpp"
#include "objects/layout.hpp"

namespace nodewise {
namespace objects {
namespace {

constexpr std::size_t word_bytes = sizeof(std::uint64_t);

LargeCell& cell_at(std::byte* at) noexcept {
  return *reinterpret_cast<LargeCell*>(at);
}

std::atomic<std::uint64_t>* copy_at(std::byte* at, std::size_t bytes, std::uint64_t sequence) noexcept {
  const auto offset = sizeof(LargeCell) + sequence % 2 * base::round_up(bytes, line);
  return reinterpret_cast<std::atomic<std::uint64_t>*>(at + offset);
}

// Copies word by word. The acquire order of each load makes sure that no later access of the program comes
// before it.
void read_words(const std::atomic<std::uint64_t>* words, void* value, std::size_t bytes) noexcept {
  auto* to = static_cast<std::byte*>(value);
  for (std::size_t done = 0; done < bytes; done += word_bytes, ++words) {
    const std::uint64_t word = words->load(std::memory_order_acquire);
    std::memcpy(to + done, &word, std::min(word_bytes, bytes - done));
  }
}

// The release order of each store makes sure that a reader that sees one of these words also sees the
// sequence number that was stored before.
void write_words(std::atomic<std::uint64_t>* words, const void* value, std::size_t bytes) noexcept {
  const auto* from = static_cast<const std::byte*>(value);
  for (std::size_t done = 0; done < bytes; done += word_bytes, ++words) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + done, std::min(word_bytes, bytes - done));
    words->store(word, std::memory_order_release);
  }
}

}  // namespace

std::optional<std::uint64_t> value_bytes(std::uint64_t bytes) {
  if (bytes <= word_bytes) return line;
  if (bytes > std::numeric_limits<std::uint64_t>::max() / 4) return std::nullopt;
  return sizeof(LargeCell) + 2 * base::round_up(bytes, line);
}

int make_value(std::byte* at, const void* initial, std::size_t bytes) {
  if (bytes <= word_bytes) {
    write_words(reinterpret_cast<std::atomic<std::uint64_t>*>(at), initial, bytes);
    return 0;
  }
  write_words(copy_at(at, bytes, 0), initial, bytes);
  return cell_at(at).mutex.make();
}

}  // namespace objects

namespace detail {

// If writers follow one another without a pause, a reader might never get a consistent copy. It then takes
// the mutex of the writers.
void read_large(std::byte* at, void* value, std::size_t bytes) {
  constexpr int patience = 100;
  const auto& sequence = objects::cell_at(at).sequence;
  for (int i = 0; i < patience; ++i) {
    const std::uint64_t before = sequence.load(std::memory_order_acquire);
    objects::read_words(objects::copy_at(at, bytes, before), value, bytes);
    if (sequence.load(std::memory_order_acquire) == before) return;
  }
  LargeWriter(at, bytes).read(value);
}

LargeWriter::LargeWriter(std::byte* at, std::size_t bytes) : at_(at), bytes_(bytes) {
  objects::lock_for_writing(objects::cell_at(at).mutex, "SharedValue");
}

LargeWriter::~LargeWriter() {
  objects::cell_at(at_).mutex.unlock();
}

void LargeWriter::read(void* value) const noexcept {
  const std::uint64_t sequence = objects::cell_at(at_).sequence.load(std::memory_order_acquire);
  objects::read_words(objects::copy_at(at_, bytes_, sequence), value, bytes_);
}

void LargeWriter::write(const void* value) noexcept {
  auto& sequence = objects::cell_at(at_).sequence;
  const std::uint64_t next = sequence.load(std::memory_order_acquire) + 1;
  objects::write_words(objects::copy_at(at_, bytes_, next), value, bytes_);
  base::pass(base::Mark::value_copied);
  sequence.store(next, std::memory_order_release);
  base::pass(base::Mark::value_changed);
}

}  // namespace detail
}  // namespace nodewise
