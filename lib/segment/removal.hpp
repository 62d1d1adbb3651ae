// How the name of a segment goes, whoever takes it away.
#pragma once

#include <string>

#include "os/os.hpp"

namespace nodewise {

/// Whether `path` still leads to the file of `descriptor`.
os::Result<bool> is_named(int descriptor, const std::string& path);

/// Takes the name away, if it still is that file's, by an opening that may write and then has the maker byte.
/// 0, or an errno.
int remove_name(int descriptor, const std::string& path);

/// Makes room for a new segment `name` at `path`: takes away what a dead maker left there. May return with
/// the name still taken, by one that has just been there; then it is called again. Throws SystemError
/// (EEXIST: by a segment, or a living maker).
void clear_name(const std::string& name, const std::string& path);

}  // namespace nodewise
