// hwloc believes an XML file and crashes on one that was damaged or edited by hand; so we look first.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nodewise::os {

/// What is wrong with a topology file of hwloc 2 or later, "line 12: ...", or nothing: text that is no XML,
/// objects without the sets of CPUs and nodes that they must have, or with sets that contradict their
/// parents' or their siblings'. Everything else is left to hwloc.
std::optional<std::string> fault_in_xml(std::string_view text);

}  // namespace nodewise::os
