// Makes Pages from a part of a file in memory, and populates such pages.
#pragma once

#include <nodewise/pages.hpp>

namespace nodewise {

/// A part of a file that is mapped shared, and the function that unmaps it.
struct PagesParts {
  std::byte* data = nullptr;
  std::size_t size_bytes = 0;
  PageKind kind = PageKind::base;
  std::size_t page_bytes = 0;
  Backing backing = Backing::segment;
  bool writable = true;
  int descriptor = -1;
  std::uint64_t file_offset = 0;
  std::function<void(void*)> release;

  /// If this throws, `release` is called too.
  static Pages make(PagesParts parts);
  /// Populates a part of `pages` (see Os::populate), in the way that its backing requires.
  static int populate(const Pages& pages, std::byte* at, std::size_t bytes);
  /// The address, whether or not the memory is writable. A caller must check writable() before it writes.
  static std::byte* address(const Pages& pages) noexcept;
};

}  // namespace nodewise
