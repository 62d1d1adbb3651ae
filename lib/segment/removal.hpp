// The removal of a segment's name.
#pragma once

#include <string>

#include "os/os.hpp"

namespace nodewise {

/// Whether `path` still leads to the file of `descriptor`.
os::Result<bool> is_named(int descriptor, const std::string& path);

/// Removes the name, if it still leads to that file. The opening must be writable; it then holds the maker
/// byte. Returns 0, or an errno.
int remove_name(int descriptor, const std::string& path);

/// Makes room for a new segment `name` at `path`: removes a file that a dead maker left there. The name may
/// still be taken on return, by a file that has just been removed or made; call again then. Throws
/// SystemError (EEXIST: by a segment, or a living maker).
void clear_name(const std::string& name, const std::string& path);

}  // namespace nodewise
