// Where pages are, as the real system reports it.
#pragma once

#include <cstddef>
#include <span>

namespace nodewise::os {

/// What Os::pages_status promises.
int ask_pages_status(std::span<void* const> pages, std::span<int> status);

/// What Os::look_at_shared promises.
void look_at_shared(const void* data, std::size_t bytes);

}  // namespace nodewise::os
