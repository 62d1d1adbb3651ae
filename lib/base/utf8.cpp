#include "base/utf8.hpp"

#include <nodewise/expects.hpp>

namespace nodewise::base {
namespace {

struct Form {
  std::size_t bytes;            // 0: no character begins with this byte
  unsigned char second_lowest;  // the range of the second byte; later bytes are 0x80 to 0xBF
  unsigned char second_highest;
};

Form form_of(unsigned char first) noexcept {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xC2) return {0, 0, 0};  // a continuation, or an overlong form of ASCII
  if (first < 0xE0) return {2, 0x80, 0xBF};
  if (first == 0xE0) return {3, 0xA0, 0xBF};  // less would be overlong
  if (first == 0xED) return {3, 0x80, 0x9F};  // more would be a surrogate
  if (first < 0xF0) return {3, 0x80, 0xBF};
  if (first == 0xF0) return {4, 0x90, 0xBF};  // less would be overlong
  if (first < 0xF4) return {4, 0x80, 0xBF};
  if (first == 0xF4) return {4, 0x80, 0x8F};  // more would be above U+10FFFF
  return {0, 0, 0};
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const auto byte = [text](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const Form form = form_of(byte(0));
  if (form.bytes > text.size()) return 0;
  if (form.bytes < 2) return form.bytes;
  if (byte(1) < form.second_lowest || byte(1) > form.second_highest) return 0;
  for (std::size_t index = 2; index < form.bytes; ++index)
    if ((byte(index) & 0xC0) != 0x80) return 0;
  return form.bytes;
}

void append_utf8(std::string& out, char32_t code_point) {
  NODEWISE_EXPECTS(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF));
  const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | code_point >> 6);
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | code_point >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | code_point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace nodewise::base
