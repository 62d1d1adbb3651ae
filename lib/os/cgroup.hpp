// Control groups: where the files of this process's group, and of the groups above it, can be read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nodewise::os {

/// The folders of this process's group and of its ancestors, innermost first, as far as they are mounted
/// here. In cgroup version 1 they belong to `controller` ("cpu", "memory"). If `controller` is empty, they
/// are those of the one hierarchy of version 2. None if there is no such hierarchy.
std::vector<std::string> group_folders(std::string_view controller);

/// The CPU time that the smallest quota of these groups allows, as a number of CPUs. Empty if there is no
/// limit.
std::optional<double> cpu_quota();

}  // namespace nodewise::os
