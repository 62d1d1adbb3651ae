// Removes the name of a segment.
#pragma once

#include <string>

#include "os/os.hpp"

namespace nodewise {

/// Whether `path` still belongs to the file of `descriptor`.
os::Result<bool> is_named(int descriptor, const std::string& path);

/// Removes the name, if it still belongs to this file. The opening must be writable; it holds the maker byte
/// afterwards. Returns 0 or an errno. Precondition, which cannot be checked: forks are paused, as
/// a child that got the opening would keep its locks.
int remove_name(int descriptor, const std::string& path);

/// Makes room for a new segment called `name` at `path`, by removing a file that a dead maker left there. The
/// name may still be taken afterwards, by a file that was just removed or made; call it again then. Throws
/// SystemError (EEXIST: the name is taken by a segment or a living maker).
void clear_name(const std::string& name, const std::string& path);

}  // namespace nodewise
