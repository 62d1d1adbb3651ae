// For errors: how much room a file system has.
#pragma once

#include <string>
#include <string_view>

#include "os/shared.hpp"

namespace nodewise::os {

/// "; its file system has 4096 bytes free of 64 MiB", and the remedies, about the file system of `path`.
/// Empty if the file system does not say how large it is.
std::string space_text(const std::string& path);

/// "; enlarge it (...)": how a file system gets more room.
std::string_view space_remedy(const Space& space);

}  // namespace nodewise::os
