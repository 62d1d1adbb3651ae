// Control groups: where this process's own group and those above it can be read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nodewise::os {

/// The folders of this process's group and of its ancestors, innermost first, as far up as they are mounted
/// here: of `controller` ("cpu", "memory") in the first version of control groups, of the one hierarchy of
/// the second version if `controller` is empty. None where there is no such hierarchy.
std::vector<std::string> group_folders(std::string_view controller);

/// CPUs' worth of time that the smallest quota of those groups grants; nothing where none limits it.
std::optional<double> cpu_quota();

}  // namespace nodewise::os
