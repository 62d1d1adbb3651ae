// Numbers that change while a machine runs: free memory, free huge pages, the CPU quota.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nodewise/machine.hpp>

namespace nodewise::os {

/// Fills in such numbers of this machine from the text files of the system. Numbers that the files do not
/// state stay as they are.
void read_moment(MachineData& machine);

/// The nodes (the kernel's numbers) whose memory the kernel lets this process use. They come from
/// get_mempolicy, or from /proc/self/status if that call is refused. Empty if neither answers.
IndexSet nodes_granted();

/// The bytes that are free or cheaply reclaimable, from a meminfo file of a node or of the whole machine:
/// MemFree + (Inactive(file) - Dirty) + SReclaimable / 2.
std::uint64_t free_bytes(const std::string& meminfo);

/// The number behind `key` ("MemFree:") in a meminfo file, converted from kB to bytes; 0 if the key is
/// absent. Lines are "Key:   123 kB"; in the file of a node, "Node 0 " stands before the key.
std::uint64_t meminfo_bytes(std::string_view meminfo, std::string_view key);

/// The number in a file that contains only one number. Empty if there is no number ("max").
std::optional<std::uint64_t> number_in(const std::string& path);

/// When a process of this pid namespace started, in clock ticks since boot. No two processes have the same
/// number and start. Empty if there is no such process.
std::optional<std::uint64_t> process_start_ticks(std::uint32_t pid);

}  // namespace nodewise::os
