// UTF-8, as strict as the Unicode Standard defines it (chapter 3, table 3-7).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nodewise::base {

/// The number of bytes of the character with which `text` begins. 0 if that is no valid character: nothing,
/// cut off, overlong, a surrogate, or above U+10FFFF.
std::size_t utf8_length(std::string_view text) noexcept;

/// Appends a character. Precondition: `code_point` is at most U+10FFFF and not a surrogate.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace nodewise::base
