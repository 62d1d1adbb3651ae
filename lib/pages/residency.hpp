// Asking the kernel where pages are, without touching them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nodewise/plan.hpp>

namespace nodewise {

/// A kernel's node number, or one of these.
inline constexpr int page_absent = -1;   ///< Untouched, swapped, or the zero page.
inline constexpr int page_unknown = -2;  ///< The kernel did not say.

/// Whether the kernel answers for single pages here: 0, or the errno of move_pages.
int pages_refusal();
inline bool can_ask_pages() {
  return pages_refusal() == 0;
}

/// The number of pages in one question to the kernel.
inline constexpr std::size_t pages_per_call = 16384;

/// The node or state of the page that holds each address. Throws SystemError where the call is refused.
std::vector<int> ask_addresses(const std::vector<const std::byte*>& addresses);

/// Calls `fn(range, state)` for consecutive runs of pages in one state, covering all of [data, data + bytes);
/// ranges are relative to `data`. 0, or the errno of the call that was refused (fn may have been called).
/// Memory is constant in `bytes`.
int ask_pages(const std::byte* data, std::uint64_t bytes, std::size_t page_bytes,
              const std::function<void(ByteRange, int)>& fn);

/// /proc/self/numa_maps: sums per mapping, where single pages cannot be asked about.
class NumaMaps {
 public:
  struct Sums {
    std::map<unsigned, std::uint64_t> bytes_on_node;  ///< By the kernel's number.
    std::uint64_t present_bytes = 0;
  };

  /// 0 with `maps` filled, or an errno. Of [data, data + bytes) what other processes wrote is counted too.
  static int read(NumaMaps& maps, const void* data, std::size_t bytes);
  /// Of the mappings that make up [begin, end) exactly; nothing where one reaches over either end.
  std::optional<Sums> sums(const void* begin, const void* end) const;

 private:
  struct Mapping {
    std::uint64_t end = 0;
    Sums sums;
  };
  std::map<std::uint64_t, Mapping> by_begin_;
};

}  // namespace nodewise
