// Counts what is asked of the heap, by replacing operator new. For the one source file of a program.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace bench {

/// Bytes ever asked for, those given back included: never less than what was held at once.
inline std::atomic<std::uint64_t> heap_bytes{0};

/// What calling fn() asks of the heap.
template <class Fn>
double heap_bytes_of(Fn fn) {
  const std::uint64_t before = heap_bytes;
  fn();
  return static_cast<double>(heap_bytes - before);
}

}  // namespace bench

void* operator new(std::size_t bytes) {
  bench::heap_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
