// hwloc does not check XML files, and crashes on files that were damaged or edited by hand. So we check them
// first.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nodewise::os {

/// What is wrong with a topology file of hwloc 2 or later ("line 12: ..."), or nothing. Faults are: text that
/// is not XML, a file of a later hwloc than the one in use, whose major version is `hwloc_major`, objects
/// without the sets of CPUs and nodes that they need, sets that contradict those of parents or siblings, and
/// more levels, CPUs or nodes than any machine has. Everything else is left to hwloc.
std::optional<std::string> fault_in_xml(std::string_view text, unsigned hwloc_major);

}  // namespace nodewise::os
