// UTF-8, as strictly as the Unicode Standard defines it (chapter 3, table 3-7).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nodewise::base {

/// Bytes of the character that `text` begins with, or 0 where that is none: empty, cut short, overlong, a
/// surrogate, above U+10FFFF.
std::size_t utf8_length(std::string_view text) noexcept;

/// Precondition: `code_point` is at most U+10FFFF and no surrogate.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace nodewise::base
