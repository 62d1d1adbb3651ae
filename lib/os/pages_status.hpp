// Where the real system says that pages are.
#pragma once

#include <span>

namespace nodewise::os {

/// What Os::pages_status promises.
int ask_pages_status(std::span<void* const> pages, std::span<int> status);

}  // namespace nodewise::os
