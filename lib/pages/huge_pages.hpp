// Which pages larger than the base page the system allows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

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
/// Throws the SystemError for that case: either the kernel has no such pages, or /proc is missing, so that
/// their size is not known. `call` begins the message.
[[noreturn]] void throw_no_hugetlb(const char* call);

/// For errors: if a control group leaves less than `bytes` of huge pages of `page_bytes`, its limit, what is
/// left, and what to do; otherwise empty.
std::string huge_pages_limited(std::uint64_t bytes, std::size_t page_bytes);

/// For errors: why the system does not give `bytes`. As huge_pages_limited(); if no control group is the
/// cause, it names the pools.
std::string why_no_huge_pages(std::uint64_t bytes, std::size_t page_bytes);

}  // namespace nodewise
