// What changes while a machine runs: free memory, free huge pages, the CPU quota.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nodewise/machine.hpp>

namespace nodewise::os {

/// Fills the momentary numbers of this machine, by what the system's text files say. What they do not say is
/// left as it is.
void read_moment(MachineData& machine);

/// Nodes (kernel's numbers) whose memory the kernel lets this process use, by get_mempolicy or, where that
/// call is refused, by /proc/self/status; empty where neither says.
IndexSet nodes_granted();

/// Free or cheaply reclaimed bytes, from a meminfo file of a node or of the whole machine:
/// MemFree + (Inactive(file) - Dirty) + SReclaimable / 2.
std::uint64_t free_bytes(const std::string& meminfo);

/// The number in kB behind `key` ("MemFree:") in a meminfo file, in bytes; 0 where it is absent. Lines are
/// "Key:   123 kB", behind "Node 0 " in a node's file.
std::uint64_t meminfo_bytes(std::string_view meminfo, std::string_view key);

/// The number that a file of one number holds; nothing where there is none ("max").
std::optional<std::uint64_t> number_in(const std::string& path);

/// When a process of this pid namespace started, in clock ticks since boot: its number and this are never
/// used twice. Nothing where there is no such process.
std::optional<std::uint64_t> process_start_ticks(std::uint32_t pid);

}  // namespace nodewise::os
