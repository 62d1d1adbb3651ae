// Names in /dev/shm, where the files of the user and of other tests lie too. A test touches only its own.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>
#include <system_error>
#include <vector>

namespace nodewise::test {

/// All names that this program and its children give begin with this. It is drawn at random, because
/// containers may share /dev/shm, and processes in them have the same numbers.
inline const std::string own_prefix = [] {
  std::random_device random;
  return "test." + std::to_string(random()) + '.';
}();

/// A name that no other process gives.
inline std::string unique_name(const std::string& about) {
  static int count = 0;
  return own_prefix + std::to_string(::getpid()) + '.' + std::to_string(++count) + '.' + about;
}

/// The path of a temporary file that no other process has.
inline std::string temporary_path(const std::string& about) {
  return (std::filesystem::temp_directory_path() / ("nodewise." + unique_name(about))).string();
}

/// The files in /dev/shm that have one of the program's own names.
inline std::vector<std::filesystem::path> own_files() {
  std::vector<std::filesystem::path> files;
  std::error_code no_folder;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", no_folder))
    if (entry.path().filename().string().find(own_prefix) != std::string::npos) files.push_back(entry.path());
  return files;
}

/// Removes the file by which LLVM's OpenMP runtime registers a process. The runtime itself removes it at
/// exit(), and so not in a child that is killed or calls _exit().
inline void remove_openmp_file(pid_t child) {
  std::error_code none;
  std::filesystem::remove(
      "/dev/shm/__KMP_REGISTERED_LIB_" + std::to_string(child) + '_' + std::to_string(::getuid()), none);
}

}  // namespace nodewise::test
