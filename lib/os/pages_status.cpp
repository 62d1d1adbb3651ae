#include "os/pages_status.hpp"

#include <numaif.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <nodewise/expects.hpp>

#include "os/file.hpp"
#include "os/system_page.hpp"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14; older headers lack it
#endif

namespace nodewise::os {
namespace {

// /proc/self/pagemap, which has one word for each page.
class Pagemap {
 public:
  static constexpr auto present = std::uint64_t{1} << 63;
  static constexpr auto swapped = std::uint64_t{1} << 62;
  // The most words of one read; the kernel reads no more at once.
  static constexpr std::size_t most_words = 512;

  // Reads the words of the pages from `first` on. Returns false if the system does not give them.
  bool read(const void* first, std::span<std::uint64_t> words) {
    if (!file_.is_open() && file_.open("/proc/self/pagemap", real()) != 0) return false;
    const auto number = reinterpret_cast<std::uintptr_t>(first) / system_page_bytes();
    return file_.read(words.data(), words.size_bytes(), number * sizeof words[0]).value == words.size_bytes();
  }

 private:
  File file_;
};

std::size_t pages_between(const void* page, const void* behind) noexcept {
  return (reinterpret_cast<std::uintptr_t>(behind) - reinterpret_cast<std::uintptr_t>(page)) /
         system_page_bytes();
}

// Which of up to most_words consecutive pages are in memory. Pages of a file are in memory for all processes,
// so it does not matter whether this process has accessed them. None if the system does not say.
class Cached {
 public:
  explicit Cached(std::span<void* const> pages) {
    if (::mincore(page_of(pages[0]), pages.size() * system_page_bytes(), flags_) != 0)
      std::fill(std::begin(flags_), std::end(flags_), static_cast<unsigned char>(0));
  }
  bool operator[](std::size_t page) const noexcept { return (flags_[page] & 1) != 0; }
  bool any() const noexcept {
    return std::any_of(std::begin(flags_), std::end(flags_), [](auto flag) { return (flag & 1) != 0; });
  }

 private:
  unsigned char flags_[Pagemap::most_words] = {};
};

// Whether none of many consecutive pages is in memory. For memory that was reserved and never touched, the
// pagemap answers in a tenth of the time that move_pages takes. In other cases this costs little, because the
// first and the last page are checked before the others.
bool nothing_there(std::span<void* const> pages, Pagemap& pagemap) {
  const auto neighbours = [](const void* page, const void* next) { return pages_between(page, next) == 1; };
  if (pages.size() < Pagemap::most_words || !neighbours(pages[0], pages[1])) return false;
  std::uint64_t words[Pagemap::most_words] = {};
  const auto nothing = [&](std::size_t page, std::size_t count) {
    return pagemap.read(pages[page], {words, count}) && std::all_of(words, words + count, [](auto word) {
             return (word & (Pagemap::present | Pagemap::swapped)) == 0;
           });
  };
  if (!nothing(0, 1) || !nothing(pages.size() - 1, 1)) return false;
  if (!std::equal(pages.begin(), pages.end() - 1, pages.begin() + 1, neighbours)) return false;
  for (std::size_t page = 0; page < pages.size(); page += Pagemap::most_words) {
    const std::size_t count = std::min(Pagemap::most_words, pages.size() - page);
    if (!nothing(page, count) || Cached({pages.data() + page, count}).any()) return false;
  }
  return true;
}

// Calls fn(first, end) for runs of consecutive pages that move_pages reports as untouched.
template <class Fn>
void for_untouched(std::span<void* const> pages, std::span<const int> status, Fn fn) {
  for (std::size_t i = 0, end = 0; i < pages.size(); i = end) {
    end = i + 1;
    if (status[i] != -ENOENT) continue;
    while (end < pages.size() && end - i < Pagemap::most_words && status[end] == -ENOENT &&
           pages_between(pages[i], pages[end]) == end - i)
      ++end;
    fn(i, end);
  }
}

// Makes the kernel enter pages that are in memory into the page table of this process.
void look_at(std::byte* data, std::size_t bytes) noexcept {
  if (::madvise(data, bytes, MADV_POPULATE_READ) == 0 || errno != EINVAL) return;
  for (std::size_t offset = 0; offset < bytes; offset += system_page_bytes())
    static_cast<void>(*static_cast<volatile std::byte*>(data + offset));
}

// Pages that another process wrote are in memory, but not in the page table of this process, so move_pages
// reports them as untouched. This enters them. Returns true if there was such a page: move_pages can be asked
// about it now.
bool look_at_cached(std::span<void* const> pages, std::span<const int> status, Pagemap& pagemap) {
  bool found = false;
  for_untouched(pages, status, [&](std::size_t first, std::size_t end) {
    const Cached cached(pages.subspan(first, end - first));
    std::uint64_t words[Pagemap::most_words] = {};
    if (!cached.any() || !pagemap.read(pages[first], {words, end - first})) return;
    const auto unseen = [&](std::size_t page) {
      return cached[page - first] && (words[page - first] & (Pagemap::present | Pagemap::swapped)) == 0;
    };
    for (std::size_t page = first, behind = 0; page < end; page = std::max(behind, page + 1)) {
      for (behind = page; behind < end && unseen(behind);) ++behind;
      if (behind == page) continue;
      look_at(page_of(pages[page]), (behind - page) * system_page_bytes());
      found = true;
    }
  });
  return found;
}

// AutoNUMA marks pages to see which CPU reads them next, and Linux 6.1 reports these as ENOENT (untouched).
// They are in memory, so the right answer is EBUSY.
void find_hidden(std::span<void* const> pages, std::span<int> status, Pagemap& pagemap) {
  for_untouched(pages, status, [&](std::size_t first, std::size_t end) {
    std::uint64_t words[Pagemap::most_words] = {};
    if (!pagemap.read(pages[first], {words, end - first})) return;
    for (std::size_t page = first; page < end; ++page)
      if ((words[page - first] & Pagemap::present) != 0) status[page] = -EBUSY;
  });
}

int ask_kernel(std::span<void* const> pages, std::span<int> status) {
  const long refused =
      ::move_pages(0, pages.size(), const_cast<void**>(pages.data()), nullptr, status.data(), 0);
  return refused < 0 ? errno : 0;
}

}  // namespace

int ask_pages_status(std::span<void* const> pages, std::span<int> status) {
  Pagemap pagemap;
  if (nothing_there(pages, pagemap)) {
    std::fill(status.begin(), status.end(), -ENOENT);
    return 0;
  }
  if (const int error = ask_kernel(pages, status)) return error;
  if (look_at_cached(pages, status, pagemap))
    if (const int error = ask_kernel(pages, status)) return error;
  find_hidden(pages, status, pagemap);
  return 0;
}

void look_at_shared(const void* data, std::size_t bytes) {
  NODEWISE_EXPECTS(bytes > 0);
  std::byte* const begin = page_of(data);
  const std::size_t count = (pages_between(begin, static_cast<const std::byte*>(data) + bytes - 1)) + 1;
  for (std::size_t first = 0; first < count; first += Pagemap::most_words) {
    void* const page = begin + first * system_page_bytes();
    const std::size_t some = std::min(Pagemap::most_words, count - first);
    unsigned char flags[Pagemap::most_words] = {};
    if (::mincore(page, some * system_page_bytes(), flags) != 0) return;
    for (std::size_t i = 0; i < some; ++i)
      if ((flags[i] & 1) != 0) look_at(begin + (first + i) * system_page_bytes(), system_page_bytes());
  }
}

}  // namespace nodewise::os
