// What the command asks of the system itself.
#pragma once

#include <string>

namespace nodewise::tools {

/// "No such file or directory (ENOENT)".
std::string errno_text(int error);

/// A small text file, whole, or the errno of the call that refused it.
struct Text {
  std::string value;
  int error = 0;
  bool ok() const noexcept { return error == 0; }
};
Text read_text(const std::string& path);
/// Replaces or creates a file, whole or not at all; a pipe or a terminal is written to. 0, or an errno.
int write_text(const std::string& path, const std::string& text);

std::string host_name();
unsigned user_id();  ///< The effective one.

}  // namespace nodewise::tools
