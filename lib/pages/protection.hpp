// Whether memory that exists already may be written.
#pragma once

#include <cstddef>

namespace nodewise {

/// Returns false if the kernel says, in /proc/self/maps, that a page of the range may not be written. Touches
/// nothing. Cost: linear in the number of mappings of the process.
bool may_be_written(const void* data, std::size_t bytes);

}  // namespace nodewise
