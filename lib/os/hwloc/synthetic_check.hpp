// Synthetic descriptions are a few words, and can stand for any number of CPUs. So they are counted first.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nodewise::os {

/// That the description has more CPUs or nodes than limits.hpp allows, or nothing. Whether it is well formed
/// is left to hwloc.
std::optional<std::string> fault_in_synthetic(std::string_view description);

}  // namespace nodewise::os
