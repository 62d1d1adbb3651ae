// What the emulator counted, summed by nodes.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <utility>

namespace nodewise::tools {

/// Accesses of one kind, and the bytes they asked for.
struct Accesses {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};
Accesses& operator+=(Accesses& left, const Accesses& right);

struct LoadsAndStores {
  Accesses loads;
  Accesses stores;
  std::uint64_t bytes() const { return loads.bytes + stores.bytes; }
};
LoadsAndStores& operator+=(LoadsAndStores& left, const LoadsAndStores& right);

inline constexpr int unknown_node = -1;  ///< A CPU that never came online, memory of no node: firmware.
inline constexpr int device_node = -2;   ///< Registers of devices, no memory.

/// Accesses by the node of the CPU and the node of the memory: the kernel's numbers, or one of the above.
struct Traffic {
  std::map<std::pair<int, int>, LoadsAndStores> between;

  LoadsAndStores local() const;
  LoadsAndStores remote() const;
  LoadsAndStores unknown() const;
  LoadsAndStores devices() const;
};

struct Counted {
  Traffic outside;                   ///< Before the program began, after it had ended.
  Traffic kernel;                    ///< While it ran, the kernel; on its behalf or not.
  Traffic program;                   ///< The program alone: user code.
  std::map<unsigned, Traffic> data;  ///< Of the program's, those to datasets that it marked, by label.
  bool complete = false;

  Traffic total() const;
};

/// Reads the report of tools/count/count_plugin.cpp. What is no line of it makes it incomplete.
Counted read_counted(std::istream& report);

}  // namespace nodewise::tools
