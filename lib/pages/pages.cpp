#include <nodewise/pages.hpp>

#include <nodewise/error.hpp>

#include <cerrno>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "os/limits.hpp"
#include "os/os.hpp"
#include "pages/huge_pages.hpp"
#include "pages/parts.hpp"
#include "pages/protection.hpp"

namespace nodewise {

std::string_view to_string(PageKind kind) noexcept {
  switch (kind) {
    case PageKind::automatic:
      return "automatic";
    case PageKind::base:
      return "base";
    case PageKind::transparent:
      return "transparent";
    case PageKind::hugetlb:
      return "hugetlb";
  }
  return {};
}

std::string_view to_string(Backing backing) noexcept {
  switch (backing) {
    case Backing::anonymous:
      return "anonymous";
    case Backing::hugetlb:
      return "hugetlb";
    case Backing::segment:
      return "segment";
    case Backing::memfd:
      return "memfd";
    case Backing::adopted:
      return "adopted";
  }
  return {};
}

struct Pages::Owner {
  std::byte* data = nullptr;
  std::size_t size_bytes = 0;
  PageKind kind = PageKind::base;
  std::size_t page_bytes = 0;
  Backing backing = Backing::anonymous;
  bool writable = true;
  int descriptor = -1;            // of the file that is mapped
  std::uint64_t file_offset = 0;  // where the mapped part of the file begins
  std::string shortfall;
  std::function<void(void*)> release;

  bool mapped_here() const noexcept { return backing == Backing::anonymous || backing == Backing::hugetlb; }

  // Tells the kernel which pages are wanted. If it refuses huge pages, they are base pages.
  void advise() {
    if (kind == PageKind::base) os::current().advise(data, size_bytes, os::Advice::no_huge_pages);
    if (kind != PageKind::transparent) return;
    const int refused = os::current().advise(data, size_bytes, os::Advice::huge_pages);
    if (refused == 0) return;
    kind = PageKind::base;
    shortfall = base::text("the kernel refused huge pages: ", base::errno_text(refused));
  }

  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() {
    if (mapped_here() && data != nullptr) os::current().unmap(data, size_bytes);
    if (release) release(data);
  }
};

namespace {

std::size_t rounded(std::size_t bytes, std::size_t page_bytes) {
  const auto sum = base::checked_add(bytes, page_bytes - 1);
  if (!sum) throw InvalidArgument(base::text("Pages::map: ", bytes, " bytes exceed the address space"));
  return base::round_down(*sum, page_bytes);
}

constexpr const char* transparent_off =
    "transparent huge pages are off (/sys/kernel/mm/transparent_hugepage/enabled says never, or there is no "
    "such file); base pages are used: write madvise there, or ask for base pages";

// What is asked of the system: never `automatic`, and no transparent pages if the system has none.
struct Request {
  PageKind kind = PageKind::base;
  std::size_t page_bytes = 0;  // the smallest unit that a memory policy can have
  std::size_t alignment = 0;
  const char* shortfall = "";
};

Request request_for(std::size_t bytes, PageKind kind, std::size_t hugetlb_page_bytes) {
  const std::size_t base_page_bytes = os::current().base_page_bytes();
  if (kind == PageKind::hugetlb) {
    const auto page_bytes = hugetlb_page_bytes != 0 ? hugetlb_page_bytes : default_hugetlb_page_bytes();
    if (page_bytes == 0) throw_no_hugetlb("Pages::map");
    return {kind, page_bytes, page_bytes, ""};
  }
  const TransparentPages transparent = transparent_pages();
  const bool worthwhile = kind == PageKind::transparent || bytes >= transparent.page_bytes;
  if (kind != PageKind::base && transparent.allowed && worthwhile)
    return {PageKind::transparent, base_page_bytes, transparent.page_bytes, ""};
  return {PageKind::base, base_page_bytes, base_page_bytes,
          kind == PageKind::transparent ? transparent_off : ""};
}

[[noreturn]] void throw_map_failed(std::size_t bytes, const Request& request, int error) {
  if (request.kind == PageKind::hugetlb)
    throw SystemError(
        base::text("Pages::map: ", base::human_bytes(bytes), " (", bytes,
                   " bytes) of huge pages cannot be mapped: ", why_no_huge_pages(bytes, request.page_bytes)),
        error);
  const std::string limits = os::memory_limits();
  throw SystemError(
      limits.empty()
          ? base::text("Pages::map: the system has no ", base::human_bytes(bytes), " (", bytes, " bytes) of ",
                       base::human_bytes(request.page_bytes), " pages to give")
          : base::text("Pages::map: ", base::human_bytes(bytes), " (", bytes,
                       " bytes) cannot be mapped; limits here: ", limits, "; raise the limit, or map less"),
      error);
}

}  // namespace

Pages Pages::map(std::size_t bytes, PageKind kind, std::size_t page_bytes) {
  const Request request = request_for(bytes, kind, page_bytes);
  auto owner = std::make_shared<Owner>();
  owner->kind = request.kind;
  owner->page_bytes = request.page_bytes;
  owner->backing = request.kind == PageKind::hugetlb ? Backing::hugetlb : Backing::anonymous;
  owner->shortfall = request.shortfall;
  if (bytes > 0) {
    const std::size_t mapped_bytes = rounded(bytes, request.page_bytes);
    const std::size_t hugetlb = request.kind == PageKind::hugetlb ? request.page_bytes : 0;
    const auto mapped = os::current().map(mapped_bytes, request.alignment, hugetlb);
    if (!mapped.ok()) throw_map_failed(mapped_bytes, request, mapped.error);
    owner->data = static_cast<std::byte*>(mapped.value);
    owner->size_bytes = mapped_bytes;
    owner->advise();
  }
  Pages pages;
  pages.owner_ = std::move(owner);
  return pages;
}

Pages Pages::adopt(void* data, std::size_t bytes, std::function<void(void*)> release) {
  return PagesParts::make({.data = static_cast<std::byte*>(data),
                           .size_bytes = bytes,
                           .page_bytes = os::current().base_page_bytes(),
                           .backing = Backing::adopted,
                           .release = std::move(release)});
}

Pages Pages::adopt(const void* data, std::size_t bytes, std::function<void(const void*)> release) {
  return PagesParts::make({.data = static_cast<std::byte*>(const_cast<void*>(data)),  // it is never written
                           .size_bytes = bytes,
                           .page_bytes = os::current().base_page_bytes(),
                           .backing = Backing::adopted,
                           .writable = false,
                           .release = std::move(release)});
}

Pages PagesParts::make(PagesParts parts) {
  struct Guard {  // if this fails before there is an owner, `release` must be called too
    PagesParts& parts;
    bool armed = true;
    ~Guard() {
      if (armed && parts.release) parts.release(parts.data);
    }
  } guard{parts};
  auto owner = std::make_shared<Pages::Owner>();
  owner->data = parts.data;
  owner->size_bytes = parts.size_bytes;
  owner->kind = parts.kind;
  owner->page_bytes = parts.page_bytes;
  owner->backing = parts.backing;
  const bool known = parts.backing != Backing::adopted;
  owner->writable = parts.writable && (known || may_be_written(parts.data, parts.size_bytes));
  owner->descriptor = parts.descriptor;
  owner->file_offset = parts.file_offset;
  owner->release = parts.release;
  guard.armed = false;
  Pages pages;
  pages.owner_ = std::move(owner);
  return pages;
}

int PagesParts::populate(const Pages& pages, std::byte* at, std::size_t bytes) {
  const Pages::Owner& owner = *pages.owner_;
  if (owner.descriptor < 0) return os::current().populate(at, bytes);
  const auto offset = owner.file_offset + static_cast<std::uint64_t>(at - owner.data);
  return os::current().populate_shared(owner.descriptor, offset, at, bytes);
}

std::byte* PagesParts::address(const Pages& pages) noexcept {
  return pages.owner_ ? pages.owner_->data : nullptr;
}

const std::byte* Pages::data() const noexcept {
  return owner_ ? owner_->data : nullptr;
}
std::byte* Pages::data() {
  if (!writable())
    throw InvalidArgument(
        "Pages::data: this memory may only be read; ask const Pages for its address, open the segment with "
        "Access::read_write, or adopt memory that may be written");
  return owner_ ? owner_->data : nullptr;
}
std::size_t Pages::size_bytes() const noexcept {
  return owner_ ? owner_->size_bytes : 0;
}
PageKind Pages::kind() const noexcept {
  return owner_ ? owner_->kind : PageKind::base;
}
std::size_t Pages::page_bytes() const noexcept {
  return owner_ ? owner_->page_bytes : 0;
}
Backing Pages::backing() const noexcept {
  return owner_ ? owner_->backing : Backing::anonymous;
}
bool Pages::writable() const noexcept {
  return !owner_ || owner_->writable;
}
std::string_view Pages::shortfall() const noexcept {
  return owner_ ? std::string_view(owner_->shortfall) : std::string_view();
}

}  // namespace nodewise
