// The base page of the real system.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/checked.hpp"

namespace nodewise::os {

inline std::size_t system_page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

/// The beginning of the page that holds `data`.
inline std::byte* page_of(const void* data) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return reinterpret_cast<std::byte*>(base::round_down(address, system_page_bytes()));
}

}  // namespace nodewise::os
