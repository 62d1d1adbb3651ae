// What segments may be called, and where their files lie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nodewise {

inline constexpr const char* memory_folder = "/dev/shm";

/// Throws InvalidArgument.
void check_segment_name(const std::string& name);
/// "/dev/shm/nodewise.1000." of this user, to which a segment's name is added.
std::string segment_prefix(const std::string& folder);
/// Of the mounts that hold huge pages, those of `page_bytes`, or all.
std::vector<std::string> huge_page_folders(std::uint64_t page_bytes = 0);
/// Where segments may have their files: /dev/shm, and the mounts of hugetlbfs.
std::vector<std::string> segment_folders();

}  // namespace nodewise
