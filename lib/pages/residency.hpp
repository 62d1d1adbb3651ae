// Asks the kernel where pages are, without touching them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nodewise/plan.hpp>

namespace nodewise {

/// The state of a page: the kernel's number of its node, or one of these.
inline constexpr int page_absent = -1;   ///< Never touched, swapped out, or the zero page.
inline constexpr int page_unknown = -2;  ///< The kernel did not say.

/// 0 if the kernel answers for single pages here, otherwise the errno of move_pages.
int pages_refusal();
inline bool can_ask_pages() {
  return pages_refusal() == 0;
}

/// The number of pages of one system call.
inline constexpr std::size_t pages_per_call = 16384;

/// The state of the page of each address. Throws SystemError if the call is refused.
std::vector<int> ask_addresses(const std::vector<const std::byte*>& addresses);

/// Calls `fn(range, state)` for consecutive runs of pages in the same state, which cover [data,
/// data + bytes). Ranges are relative to `data`. Returns 0, or the errno of the call that was refused; `fn`
/// may have been called before. The memory that this needs does not depend on `bytes`.
int ask_pages(const std::byte* data, std::uint64_t bytes, std::size_t page_bytes,
              const std::function<void(ByteRange, int)>& fn);

/// The sums for each mapping in /proc/self/numa_maps, for when single pages cannot be asked about.
class NumaMaps {
 public:
  struct Sums {
    std::map<unsigned, std::uint64_t> bytes_on_node;  ///< By the kernel's numbers of nodes.
    std::uint64_t present_bytes = 0;
  };

  /// Fills `maps` and returns 0, or returns an errno. In [data, data + bytes), pages that other processes
  /// wrote are counted too.
  static int read(NumaMaps& maps, const void* data, std::size_t bytes);
  /// The sums of the mappings that are exactly [begin, end). Empty if a mapping extends beyond either end.
  std::optional<Sums> sums(const void* begin, const void* end) const;

 private:
  struct Mapping {
    std::uint64_t end = 0;
    Sums sums;
  };
  std::map<std::uint64_t, Mapping> by_begin_;
};

}  // namespace nodewise
