// Descriptors of files that the library opens.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "os/shared.hpp"

namespace nodewise::os {

/// What open() or a call like it returned, as a Result, under a number above 2. In a program that closed its
/// standard streams, open() gives out their numbers: what the program prints would then go into a file of the
/// library, such as a segment.
inline Result<int> opened(int descriptor) noexcept {
  if (descriptor < 0) return {-1, errno};
  if (descriptor > STDERR_FILENO) return {descriptor, 0};
  const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error = errno;
  ::close(descriptor);
  return moved < 0 ? Result<int>{-1, error} : Result<int>{moved, 0};
}

}  // namespace nodewise::os
