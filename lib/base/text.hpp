// Puts messages together.
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
  // doubles: the shortest exact form
  const auto end = std::to_chars(digits, digits + sizeof digits, piece).ptr;
  // By length, because g++ 12 warns about a range.
  out.append(digits, static_cast<std::size_t>(end - digits));
}

/// Joins strings and numbers. Does not depend on the locale.
template <class... Pieces>
std::string text(const Pieces&... pieces) {
  std::string out;
  (append(out, pieces), ...);
  return out;
}

/// Text from outside, for a message: in quotation marks, with bytes that are not printable ASCII as \xNN, and
/// cut off after 40 bytes.
std::string quoted(std::string_view raw);

/// "512 B", "64 KiB", "1.5 GiB": see nodewise::human_bytes.
std::string human_bytes(std::uint64_t bytes);

/// The text and name of an errno: "Cannot allocate memory (ENOMEM)".
std::string errno_text(int error);

}  // namespace nodewise::base
