// CRC-32 as in zlib, PNG and Ethernet (ISO 3309), so that every language has code for it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nodewise::base {

inline constexpr std::array<std::uint32_t, 256> crc32_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t rest = byte;
    for (int bit = 0; bit < 8; ++bit) rest = (rest & 1) != 0 ? 0xedb88320 ^ rest >> 1 : rest >> 1;
    table[byte] = rest;
  }
  return table;
}();

/// The sum of `bytes`; `before` is the sum of the bytes in front of them.
constexpr std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) noexcept {
  std::uint32_t sum = ~before;
  for (const char byte : bytes) sum = crc32_table[(sum ^ static_cast<unsigned char>(byte)) & 0xff] ^ sum >> 8;
  return ~sum;
}
static_assert(crc32("123456789") == 0xcbf43926);

}  // namespace nodewise::base
