// Text files of the real system.
#pragma once

#include <string>

#include "os/shared.hpp"

namespace nodewise::os {

/// The whole of a text file. EOVERFLOW beyond 256 MiB, so that a file without an end is an error; ETIMEDOUT
/// if a pipe gives nothing for ten seconds.
Result<std::string> read_text_file(const std::string& path);

/// Writes `text` to `path`; "-" is standard output. A new file, or one that belongs to this user and has no
/// other name, is written whole or not at all, and keeps its mode. Anything else (a link, a device, a pipe, a
/// file of another user or with several names) is opened and written as a shell's `>` would, so that the
/// kernel's protection of shared folders holds. A pipe without a reader is ENXIO. Returns 0 or an errno.
int write_text_file(const std::string& path, const std::string& text);

}  // namespace nodewise::os
