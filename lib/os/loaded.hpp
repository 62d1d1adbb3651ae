// Which file a symbol in use came from.
#pragma once

#include <string>

namespace nodewise::os {

/// The file name, without folders, of the library or program that holds `address`; empty if unknown.
std::string file_of_address(const void* address);

}  // namespace nodewise::os
