// Which pages larger than the base page the system allows.
#pragma once

#include <cstddef>

namespace nodewise {

struct TransparentPages {
  bool allowed = false;        ///< "always" or "madvise".
  std::size_t page_bytes = 0;  ///< 0 if the kernel has none.
};

TransparentPages transparent_pages();
/// Those of files in memory, for which the kernel has a separate switch.
TransparentPages shared_transparent_pages();

/// The default page size of hugetlb pools; 0 if there is none.
std::size_t default_hugetlb_page_bytes();

}  // namespace nodewise
