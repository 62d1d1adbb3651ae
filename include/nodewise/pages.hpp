// The one reference-counted owner of mapped memory.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include <nodewise/export.hpp>
#include <nodewise/names.hpp>

namespace nodewise {

/// Size of the pages asked for. `automatic`: transparent huge pages where the system allows them, else base.
enum class PageKind : unsigned char { automatic, base, transparent, hugetlb };
/// Where the memory comes from. `segment` is a file in memory with a name (Segment), `memfd` one without a
/// name.
enum class Backing : unsigned char { anonymous, hugetlb, segment, memfd, adopted };

NODEWISE_PUBLIC std::string_view to_string(PageKind kind) noexcept;
NODEWISE_PUBLIC std::string_view to_string(Backing backing) noexcept;

struct PagesParts;  // private to the library

/// Mapped memory and its releaser. Copies share the memory; the last one releases it, once. Thread class:
/// value.
class NODEWISE_PUBLIC Pages {
 public:
  Pages() = default;

  /// Maps `bytes` (rounded up to whole pages), untouched, with no policy. `automatic` becomes `base` or
  /// `transparent` by what the system allows; `transparent` may fall back to `base`, which kind() shows;
  /// `hugetlb` maps pages of `page_bytes`, or of the default huge page size if 0, and throws if the pools
  /// cannot hold them. Zero bytes map nothing. Throws SystemError, InvalidArgument.
  static Pages map(std::size_t bytes, PageKind kind = PageKind::automatic, std::size_t page_bytes = 0);

  /// Takes over memory that exists already. `release(data)`, if given, is called once, by the last owner, or
  /// by this function if it throws.
  static Pages adopt(void* data, std::size_t bytes, std::function<void(void*)> release = {});
  /// The same of memory that may only be read.
  static Pages adopt(const void* data, std::size_t bytes, std::function<void(const void*)> release = {});

  const std::byte* data() const noexcept;
  /// Throws InvalidArgument where the memory may only be read.
  std::byte* data();
  std::size_t size_bytes() const noexcept;  ///< As mapped: whole pages, except where adopted.
  PageKind kind() const noexcept;           ///< The kind that the system gave; never `automatic`.
  std::size_t page_bytes()
      const noexcept;  ///< The granularity of placing: the base page, or the page of the hugetlb pool.
  Backing backing() const noexcept;
  /// False for a segment that was opened for reading, and for const memory that was adopted.
  bool writable() const noexcept;
  /// Why kind() is less than what was asked for; empty if the system gave what was asked for.
  std::string_view shortfall() const noexcept;
  explicit operator bool() const noexcept { return data() != nullptr; }

 private:
  friend struct PagesParts;
  struct Owner;
  std::shared_ptr<const Owner> owner_;
};

}  // namespace nodewise
