// Paths in the kernel's lists of mounts.
#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace nodewise::os {

/// The path in a field of /proc/self/mounts or mountinfo, where blanks and similar characters are written as
/// a backslash and three octal digits.
inline std::string mount_path(std::string_view field) {
  std::string path;
  for (std::size_t i = 0; i < field.size(); ++i) {
    unsigned code = 0;
    const bool escape = field[i] == '\\' && i + 4 <= field.size() &&
                        std::from_chars(&field[i + 1], &field[i] + 4, code, 8).ptr == &field[i] + 4;
    path += escape ? static_cast<char>(code) : field[i];
    if (escape) i += 3;
  }
  return path;
}

}  // namespace nodewise::os
