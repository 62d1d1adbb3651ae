// What the system allows of pages larger than the base page.
#pragma once

#include <cstddef>

namespace nodewise {

struct TransparentPages {
  bool allowed = false;        ///< "always" or "madvise".
  std::size_t page_bytes = 0;  ///< 0 where the kernel has none.
};

TransparentPages transparent_pages();
/// Of files in memory: the kernel has a switch of its own for them.
TransparentPages shared_transparent_pages();

/// The default page size of hugetlb pools, or 0.
std::size_t default_hugetlb_page_bytes();

}  // namespace nodewise
