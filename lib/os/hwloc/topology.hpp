// Topologies by hwloc. Only the hwloc_*.cpp of this folder include its headers.
#pragma once

#include <string>

#include <nodewise/machine.hpp>

namespace nodewise::os {

// What these return has no momentary numbers (free memory, free huge pages, CPU quota) and no fingerprint.
// None of them prints: hwloc's own messages are turned off, unless HWLOC_HIDE_ERRORS or HWLOC_SHOW_ERRORS in
// the environment asks for them.

/// This machine, with hwloc's disallowed objects, I/O devices and memory attributes. Where hwloc's own
/// environment variables (HWLOC_XMLFILE and the like) name another machine: that one, marked as foreign.
/// Throws SystemError.
MachineData hwloc_this_machine();
/// Throws FormatError, SystemError.
MachineData hwloc_xml(const std::string& path);
/// Throws FormatError.
MachineData hwloc_synthetic(const std::string& description);
/// The version of hwloc in use, "2.9".
std::string hwloc_version();

}  // namespace nodewise::os
