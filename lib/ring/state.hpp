// A ring, as a process has mapped it.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <nodewise/batch_ring.hpp>

#include "os/file.hpp"
#include "ring/core.hpp"
#include "ring/layout.hpp"
#include "segment/file.hpp"

namespace nodewise {

/// The words of a ring in shared memory.
struct RingMemory {
  ring::Control* control = nullptr;
  ring::Cell* cells = nullptr;
  std::uint64_t slot_count = 0;
  bool only_producer = false;
  bool only_consumer = false;
  const SegmentFile* file = nullptr;  // for messages

  class Word {
   public:
    explicit Word(std::atomic<std::uint64_t>& word) noexcept : word_(word) {}
    std::uint64_t load() const noexcept { return word_.load(std::memory_order_acquire); }
    void store(std::uint64_t value) const noexcept { word_.store(value, std::memory_order_release); }
    bool replace(std::uint64_t expected, std::uint64_t value) const noexcept {
      return word_.compare_exchange_strong(expected, value);
    }

   private:
    std::atomic<std::uint64_t>& word_;
  };

  Word cell(std::uint64_t slot) const noexcept { return Word(cells[slot].word); }
  Word head() const noexcept { return Word(control->head); }
  Word tail() const noexcept { return Word(control->tail); }
  Word closed() const noexcept { return Word(control->closed); }
  std::uint64_t slots() const noexcept { return slot_count; }
  bool one_producer() const noexcept { return only_producer; }
  bool one_consumer() const noexcept { return only_consumer; }
  static void mark(base::Mark mark) { base::pass(mark); }
  /// Throws FormatError: a slot's word was not written by a member.
  [[noreturn]] void refuse(std::uint64_t slot, std::uint64_t lap, ring::Ticket ticket) const;
};

struct BatchRing::State {
  std::shared_ptr<SegmentFile> file;
  Pages pages;
  RingMemory memory;
  std::byte* slots = nullptr;
  std::uint64_t slot_bytes = 0;  // the distance between two slots
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  DType dtype = DType::f32;
  std::vector<Degradation> degradations;

  ring::Core<RingMemory> core() const noexcept { return ring::Core<RingMemory>(memory); }
  /// Opens the segment's file again, with locks of its own. Throws SystemError.
  os::File open_again() const;
  AnyBatchView view(std::uint64_t slot, std::uint64_t row_count) const noexcept {
    return {slots + slot * slot_bytes, dtype, row_count, cols, cols};
  }
};

/// Wakes up to `sleepers` members of one side; returns how many it woke.
unsigned wake(ring::Sleepers& side, unsigned sleepers);
/// Wakes all producers and consumers that sleep.
void wake_all(ring::Control& control);

}  // namespace nodewise
