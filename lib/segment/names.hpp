// The names that segments may have, and the folders of their files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nodewise {

inline constexpr const char* memory_folder = "/dev/shm";

/// Throws InvalidArgument.
void check_segment_name(const std::string& name);
/// The file of a segment of this user: "/dev/shm/nodewise.1000.train".
std::string segment_path(const std::string& folder, const std::string& name);
/// The name of this user's segment that has the file "nodewise.1000.train"; empty where it is no such file.
std::string segment_name(const std::string& file);
/// The mounts of huge pages of `page_bytes`, or of all sizes.
std::vector<std::string> huge_page_folders(std::uint64_t page_bytes = 0);
/// Where segments may have their files: /dev/shm, and the mounts of hugetlbfs.
std::vector<std::string> segment_folders();

}  // namespace nodewise
