// The names of files in the kernel's table of locks.
#pragma once

#include <sys/sysmacros.h>

#include <cstdio>
#include <string>

#include "os/os.hpp"

namespace nodewise::os {

/// The sixth word of a file's lines in /proc/locks, such as "00:1b:1292": its device in hexadecimal, and its
/// inode. The inode alone is not enough, because the inodes of each container's /dev/shm begin at the same
/// number.
inline std::string lock_table_name(const FileStatus& file) {
  char device[32];
  std::snprintf(device, sizeof device, "%02x:%02x:", major(file.device), minor(file.device));
  return device + std::to_string(file.inode);
}

}  // namespace nodewise::os
