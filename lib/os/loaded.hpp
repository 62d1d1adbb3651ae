// Shared objects: the file that a symbol in use came from, and modules that the library loads.
#pragma once

#include <string>

#include "os/os.hpp"

namespace nodewise::os {

/// The name, without folders, of the library or program that contains `address`. Empty if it is unknown.
std::string file_of_address(const void* address);

/// Os::open_module.
Result<ModuleSymbol> load_module(const std::string& file, const std::string& symbol);

}  // namespace nodewise::os
