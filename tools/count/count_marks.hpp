// What a program in a counted machine says to the counter, which sees loads and stores and nothing else: a
// mark is a load of one byte with a displacement that no compiler chooses. The counter knows the instruction
// when it translates it, learns the address when it runs, and does not count it. Anywhere else a mark is just
// that load.
#pragma once

#include <cstdint>

namespace nodewise::count {

enum class Mark : std::uint32_t {
  cpu_node,     ///< The CPU that runs this is on node `address % page_bytes`.
  memory_node,  ///< This page is on node `address % page_bytes`.
  begin,        ///< The program begins,
  end,          ///< and has ended; the address means nothing.
  data_label,   ///< What is counted of datasets from here on goes by the label `address % page_bytes`.
  data_first,   ///< The first byte of the dataset.
  data_last,    ///< Its last byte: from now on its loads and stores are counted apart,
  data_done,    ///< until now; the address means nothing.
  number_of_marks,
};

inline constexpr std::uint64_t page_bytes = 4096;
inline constexpr std::uint64_t max_labels = 32;
inline constexpr std::uint32_t magic = 0x6e64'7700;     // the lowest byte is the mark
inline constexpr std::uint8_t opcode[] = {0x8a, 0x80};  // mov disp32(%rax), %al

/// Loads the byte at `address`.
template <Mark mark>
inline void tell(const void* address) {
#if defined(__x86_64__)
  constexpr auto displacement = magic + static_cast<std::uint32_t>(mark);
  auto base = reinterpret_cast<std::uintptr_t>(address) - displacement;
  asm volatile(".byte 0x8a, 0x80\n\t.long %c1" : "+a"(base) : "i"(displacement) : "memory");
#else
  static_cast<void>(address);
#endif
}

}  // namespace nodewise::count
