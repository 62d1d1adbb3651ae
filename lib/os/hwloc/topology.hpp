// Topologies from hwloc. Only the files of this folder include its headers.
#pragma once

#include <string>

#include <nodewise/machine.hpp>

namespace nodewise::os {

// The results have no numbers of the moment (free memory, free huge pages, CPU quota) and no fingerprint.
// None of these functions prints: hwloc's messages are turned off, unless HWLOC_HIDE_ERRORS or
// HWLOC_SHOW_ERRORS is set in the environment.

/// This machine, including objects that are not allowed, I/O devices and memory attributes. If hwloc's
/// environment variables (such as HWLOC_XMLFILE) name another machine, it is that one, marked as not this
/// machine. Throws SystemError; and FormatError, which names the variable, if that other machine cannot be
/// read.
MachineData hwloc_this_machine();
/// Throws FormatError, SystemError.
MachineData hwloc_xml(const std::string& path);
/// Throws FormatError.
MachineData hwloc_synthetic(const std::string& description);
/// The version of hwloc in use, "2.9".
std::string hwloc_version();

}  // namespace nodewise::os
