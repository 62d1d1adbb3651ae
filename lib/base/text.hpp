// Putting messages together.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace nodewise::base {

inline void append(std::string& out, std::string_view piece) {
  out += piece;
}
inline void append(std::string& out, const char* piece) {
  out += piece;
}
inline void append(std::string& out, char piece) {
  out += piece;
}
template <class Number>
requires std::is_arithmetic_v<Number>
void append(std::string& out, Number piece) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, piece).ptr;  // doubles: shortest exact form
  out.append(digits, static_cast<std::size_t>(end - digits));  // by length: g++ 12 warns of a range
}

/// Strings and numbers, one after the other; independent of the locale.
template <class... Pieces>
std::string text(const Pieces&... pieces) {
  std::string out;
  (append(out, pieces), ...);
  return out;
}

/// Foreign text for a message: in quotation marks, bytes that are not printable ASCII as \xNN, cut short
/// after 40 bytes.
std::string quoted(std::string_view raw);

/// "512 B", "64 KiB", "1.5 GiB".
std::string human_bytes(std::uint64_t bytes);

/// "Cannot allocate memory (ENOMEM)".
std::string errno_text(int error);

}  // namespace nodewise::base
