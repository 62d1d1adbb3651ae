// What the command asks of the system itself.
#pragma once

#include <string>

#include "parts/failure.hpp"

namespace nodewise::tools {

/// "No such file or directory (ENOENT)". Of EFBIG, with the limit on the size of files if there is one.
std::string errno_text(int error);

/// The exit code for an errno about a file that the user named: Exit::bad_input if another name is the
/// remedy, Exit::machine_cannot if the system lacks something, such as room on a disk.
Exit exit_of_errno(int error);

/// A small text file, whole, or the errno of the call that refused it.
struct Text {
  std::string value;
  int error = 0;
  bool ok() const noexcept { return error == 0; }
};
/// Reads at most 64 MiB: a longer text is EOVERFLOW. A pipe that gives nothing for ten seconds is ETIMEDOUT.
Text read_text(const std::string& path);
/// Why read_text() refused.
std::string read_error_text(int error);

/// Throws a Failure if /proc is not mounted, which says `what`.
void require_proc(const std::string& what);

/// Opens standard input, output and error where the command was started without them, so that no file that it
/// opens gets their numbers. Each use of such a stream fails.
void open_missing_streams();

std::string host_name();
unsigned user_id();  ///< The effective one.

}  // namespace nodewise::tools
