// The names of segments, and the folders of their files.
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
/// The name of this user's segment whose file is "nodewise.1000.train". Empty if it is not the file of a
/// segment.
std::string segment_name(const std::string& file);
/// The mounts of hugetlbfs with pages of `page_bytes`; 0: of all sizes.
std::vector<std::string> huge_page_folders(std::uint64_t page_bytes = 0);
/// The folders in which files of segments may be: /dev/shm, and the mounts of hugetlbfs.
std::vector<std::string> segment_folders();

}  // namespace nodewise
