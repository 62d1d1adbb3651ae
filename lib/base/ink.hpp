// Colours in texts for people.
#pragma once

#include <string>
#include <string_view>

#include <nodewise/text.hpp>

#include "base/text.hpp"

namespace nodewise::base {

enum class Ink { good, fair, bad };

/// `text`, in colour if the style allows colours.
inline std::string inked(const TextStyle& style, Ink ink, std::string_view text) {
  if (!style.colour || text.empty()) return std::string(text);
  const char* code = ink == Ink::good ? "32" : ink == Ink::fair ? "33" : "31";
  return base::text("\033[", code, 'm', text, "\033[0m");
}

}  // namespace nodewise::base
