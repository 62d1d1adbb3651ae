// A large value: two copies, and a sequence that says which one holds. Writers, one at a time, fill the other
// copy and then increase the sequence, so a writer that dies leaves the old value whole. What a reader copied
// is sound if the sequence did not change during the copy: until it changes, no writer writes there.
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

// Word by word, so that no later access of the program takes effect before: here by the memory order of each
// load.
void read_words(const std::atomic<std::uint64_t>* words, void* value, std::size_t bytes) noexcept {
  auto* to = static_cast<std::byte*>(value);
  for (std::size_t done = 0; done < bytes; done += word_bytes, ++words) {
    const std::uint64_t word = words->load(std::memory_order_acquire);
    std::memcpy(to + done, &word, std::min(word_bytes, bytes - done));
  }
}

// Here by the memory order of each store: a reader that sees one of them also sees that the sequence had
// changed.
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

// Writers that follow one another without a pause could keep a reader from ever copying a sound value: the
// reader then takes the writers' mutex.
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
