// Pages owns mapped memory. Copies count as references; the last one releases the memory.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// The kind of pages to use. `automatic`: transparent huge pages if the system allows them, else base pages.
enum class PageKind : unsigned char { automatic, base, transparent, hugetlb };
/// Where memory comes from. `segment`: a file in memory with a name (segment.hpp). `memfd`: such a file
/// without a name. `adopted`: memory that the caller had already.
enum class Backing : unsigned char { anonymous, hugetlb, segment, memfd, adopted };

NODEWISE_PUBLIC std::string_view to_string(PageKind kind) noexcept;
NODEWISE_PUBLIC std::string_view to_string(Backing backing) noexcept;

struct PagesParts;  // private to the library

/// Mapped memory, and a function that releases it. Copies share the memory, and the last one releases it.
/// Thread class: value.
class NODEWISE_PUBLIC Pages {
 public:
  Pages() = default;

  /// Maps `bytes` bytes, rounded up to whole pages, without touching the pages or setting a memory policy.
  /// `automatic` becomes `base` or `transparent`, as the system allows. `transparent` may become `base`;
  /// kind() then says so. `hugetlb` maps pages of `page_bytes` bytes (0: the default huge page size), and
  /// throws SystemError if the pools have too few pages. 0 bytes map nothing. Throws SystemError,
  /// InvalidArgument.
  static Pages map(std::size_t bytes, PageKind kind = PageKind::automatic, std::size_t page_bytes = 0);

  /// Takes over memory that exists already. It counts as read-only if /proc/self/maps says so of one of its
  /// pages; a later mprotect is not noticed. If `release` is not empty, `release(data)` is called once: by
  /// the last owner, or by this function if it throws.
  static Pages adopt(void* data, std::size_t bytes, std::function<void(void*)> release = {});
  /// The same for read-only memory.
  static Pages adopt(const void* data, std::size_t bytes, std::function<void(const void*)> release = {});

  const std::byte* data() const noexcept;
  /// Throws InvalidArgument if the memory is read-only.
  std::byte* data();
  std::size_t size_bytes() const noexcept;  ///< Whole pages, except for adopted memory.
  PageKind kind() const noexcept;           ///< The kind that the system gave; never `automatic`.
  /// The unit of placing, in bytes: a base page, or a page of the hugetlb pool.
  std::size_t page_bytes() const noexcept;
  Backing backing() const noexcept;
  /// False for a segment that was opened read-only, and for adopted memory that is const or
  /// that the kernel does not let this process write.
  bool writable() const noexcept;
  /// Why kind() is not the kind that was requested; empty if it is.
  std::string_view shortfall() const noexcept;
  explicit operator bool() const noexcept { return data() != nullptr; }

 private:
  friend struct PagesParts;
  struct Owner;
  std::shared_ptr<const Owner> owner_;
};

}  // namespace nodewise
