// The file that a symbol in use comes from.
#pragma once

#include <string>

namespace nodewise::os {

/// The name, without folders, of the library or program that contains `address`. Empty if it is unknown.
std::string file_of_address(const void* address);

}  // namespace nodewise::os
