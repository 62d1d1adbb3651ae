// Pages of a file that is in memory: what makes them, and what makes them present.
#pragma once

#include <nodewise/pages.hpp>

namespace nodewise {

/// A part of a file that is mapped shared. `release` unmaps it.
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

  /// `release` is called too if this throws.
  static Pages make(PagesParts parts);
  /// Os::populate of a part of `pages`, by the way that their backing needs.
  static int populate(const Pages& pages, std::byte* at, std::size_t bytes);
  /// Where they are, whether or not they may be written: for a caller that asks writable() before it writes.
  static std::byte* address(const Pages& pages) noexcept;
};

}  // namespace nodewise
