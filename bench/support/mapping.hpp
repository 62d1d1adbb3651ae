// Memory mapped by hand, for what a program would do without nodewise.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

#include <nodewise/pages.hpp>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older headers lack it
#endif

namespace bench {

inline constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;
inline constexpr std::size_t base_page_bytes = 4096;

/// Untouched memory that begins at a huge page, advised to be of one kind of pages, and given back.
class Mapping {
 public:
  Mapping(std::size_t bytes, nodewise::PageKind kind)
      : mapped_bytes_(bytes + huge_page_bytes), bytes_(bytes) {
    mapped_ = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(mapped_);
    data_ =
        static_cast<std::byte*>(mapped_) + (huge_page_bytes - address % huge_page_bytes) % huge_page_bytes;
    ::madvise(data_, bytes_, kind == nodewise::PageKind::base ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  }
  ~Mapping() { ::munmap(mapped_, mapped_bytes_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t mapped_bytes_;
  std::size_t bytes_;
  void* mapped_;
  std::byte* data_;
};

/// What one of `threads` threads takes of `bytes`: whole huge pages, the last takes the rest.
struct Part {
  Part(std::size_t bytes, unsigned thread, unsigned threads) noexcept {
    const std::size_t units = bytes / huge_page_bytes;
    begin = units * thread / threads * huge_page_bytes;
    end = thread + 1 == threads ? bytes : units * (thread + 1) / threads * huge_page_bytes;
  }
  std::size_t bytes() const noexcept { return end - begin; }
  std::size_t begin;
  std::size_t end;
};

/// Has the kernel make the part present, all at once.
inline void populate(std::byte* data, const Part& part) noexcept {
  ::madvise(data + part.begin, part.bytes(), MADV_POPULATE_WRITE);
}

/// Writes one byte of each page.
inline void touch(std::byte* data, const Part& part) noexcept {
  for (std::size_t at = part.begin; at < part.end; at += base_page_bytes)
    const_cast<volatile std::byte*>(data)[at] = std::byte{0};
}

}  // namespace bench
